// The process: arguments and environment in, exit status out.

import FoundationEssentials
import Gateway
import Glibc

let tool = Tool(
  environment: ProcessInfo.processInfo.environment, nowSeconds: Int64(Date().timeIntervalSince1970))

switch tool.run(Array(CommandLine.arguments.dropFirst())) {
case .finished(let report):
  Console.writeOutput(report.output)
  Console.writeError(report.complaint)
  exit(report.status)
case .serve(let configuration, let notice):
  Console.writeError(notice)
  exit(GatewayServer.run(configuration))
}
