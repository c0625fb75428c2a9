// `martlet-bench`: the load generator's program; everything it does is in BenchKit.
import BenchKit
import Glibc

exit(BenchCommand.run(Array(CommandLine.arguments.dropFirst())))
