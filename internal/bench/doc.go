// Package bench measures limen beside the bare limit of the machine it runs on: what the
// same computer does when it is asked for nothing but the one thing that cannot be left
// out. A figure without its limit says more about the computer than about the program.
//
// What it does. It builds the whole server in this process, on a seeded SQLite file and
// on a PostgreSQL database of its own, behind a real listener, and loads it over loopback
// through a client so small that it weighs the same on both sides. Each figure and its
// limit run in turns, slice by slice, so that whatever else the computer does at the time
// hits both; the ratio is the median over the pairs. CPU is what the process used, client
// included, per request: it hardly moves when other programs run beside.
//
// The limits. A session check is compared with a net/http handler that writes the same
// bytes; a refresh with a loop that groups durable commits of one UPDATE and signs, in
// the same process and without HTTP; a sign-in with argon2id on every core; the outbox
// with the same letters handed to the same relay by as many clients, and a claim from a
// large outbox with one from a small; an answer about a known address with the same answer
// about an unknown one, asked in turns.
//
// Invariants. Nothing is switched off for the measurement: log lines are written (to
// the null device), limits are counted, signatures and sessions checked, commits are
// durable. Clients come from many loopback networks, as limits count by network. Any
// answer that is not the expected one ends the run.
//
// Limits of the method. Client and server share the cores, so absolute rates are about
// half of what a server alone would reach. With PostgreSQL the CPU of its processes is
// not counted. The seeded people share one password hash, and tokens are asked for
// before a slice begins.
//
// Threats. None: the package is linked into no server. What it creates, databases and
// directories, it removes.
package bench
