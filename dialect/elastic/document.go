package elastic

var documentRoutes []route
