package elastic

var jobRoutes []route
