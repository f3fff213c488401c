// Command troupe is the broker and the tool that talks to one. It reads flags, the environment and signals, joins the rooms
// (serve.go) and otherwise only translates: what a topic or a record is, the rooms know.
//
// One file per noun. Start reading at main.go, then serve.go; demo.go shows the whole in action.
package main
