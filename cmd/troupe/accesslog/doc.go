// Package accesslog carries a real web server's log for the demo and the tests: 10,000 lines of May 2015 by 1,753 client
// addresses, 2,370,789 bytes. It is data of others under the Apache License 2.0: see NOTICE and LICENSE beside it.
package accesslog
