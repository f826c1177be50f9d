module github.com/synclinehq/syncline/bench

go 1.26.0

replace github.com/synclinehq/syncline => ../
