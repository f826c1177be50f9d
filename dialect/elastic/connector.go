package elastic

var connectorRoutes []route
