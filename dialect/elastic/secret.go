package elastic

var secretRoutes []route
