package dossier

// ReadAtMost is Read with another limit.
var ReadAtMost = readAtMost
