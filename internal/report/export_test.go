package report

// For tests in report_test.
var (
	Licence     = licence
	Licences    = licences
	Exceptions  = exceptions
	VectorWords = vectorWords
)
