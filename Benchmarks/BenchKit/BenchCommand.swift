// The command: a plan is run and its result printed. Called once, on the main thread.
import EventLoop

/// The load generator's command line.
public enum BenchCommand {
  /// Runs the words behind the program's name; returns the exit status.
  public static func run(_ words: [String]) -> Int32 {
    do {
      let options = try Options(words)
      if options.wantsHelp {
        Kernel.write(Options.help(options.command))
        return 0
      }
      switch options.command {
      case "fanout": return try fanout(options)
      case "echo": return try echo(options)
      case "connect": return try connect(options)
      default: return try idle(options)
      }
    } catch {
      Kernel.write("martlet-bench: \(error)\n", to: 2)
      if case .usage = error { return 2 }
      return 3
    }
  }

  /// From here on Ctrl-C is looked for between waits (`Progress`) and ends a run with what there is.
  private static func takeSignals() {
    System.ignoreBrokenPipes()
    System.blockTerminationSignals()
  }

  // MARK: Subcommands

  private static func fanout(_ options: Options) throws(BenchError) -> Int32 {
    let plan = try Plans.fanout(options)
    takeSignals()
    let result = try Fanout.run(plan)
    if options.has("--json") {
      var object = JSONObject()
      object.add("kind", word: "fanout")
      object.add("good", result.isGood)
      object.add("subscribers", plan.subscribers)
      object.add("channels", plan.dialogue.channels)
      object.add("burst", plan.burst)
      object.add("rate", plan.rate ?? 0)
      object.add("payloadBytes", plan.payload)
      object.add("deliveredBytes", result.deliveredLength)
      object.add(result.check)
      object.add("otherFrames", result.otherFrames)
      object.add("closedConnections", result.closedConnections)
      object.add("stalled", result.stalled)
      object.add("interrupted", result.interrupted)
      object.add(result.rounds)
      Kernel.write(object.text + "\n")
    } else {
      let pace = plan.rate.map { "\(Report.fixed($0, 1)) bursts a second" } ?? "closed loop"
      var text = "fanout: \(plan.subscribers) subscribers, \(plan.dialogue.channels) channels, "
      text += "bursts of \(plan.burst), \(pace), payload \(plan.payload) bytes (\(result.deliveredLength) delivered)\n"
      text += Report.table(result.rounds, event: "delivery", events: "deliveries")
      text += Report.verdict(
        result.check, closed: result.closedConnections, stalled: result.stalled, interrupted: result.interrupted)
      Kernel.write(text)
    }
    return result.isGood ? 0 : 1
  }

  private static func echo(_ options: Options) throws(BenchError) -> Int32 {
    let plan = try Plans.echo(options)
    takeSignals()
    let result = try Echo.run(plan)
    if options.has("--json") {
      var object = JSONObject()
      object.add("kind", word: "echo")
      object.add("good", result.isGood)
      object.add("connections", plan.connections)
      object.add("pipeline", plan.pipeline)
      object.add("payloadBytes", plan.payload)
      object.add(result.check)
      object.add("closedConnections", result.closedConnections)
      object.add("stalled", result.stalled)
      object.add("interrupted", result.interrupted)
      object.add(result.rounds)
      Kernel.write(object.text + "\n")
    } else {
      var text =
        "echo: \(plan.connections) connections, \(plan.pipeline) on the way each, payload \(plan.payload) bytes\n"
      text += Report.table(result.rounds, event: "message", events: "messages")
      text += Report.verdict(
        result.check, closed: result.closedConnections, stalled: result.stalled, interrupted: result.interrupted)
      Kernel.write(text)
    }
    return result.isGood ? 0 : 1
  }

  private static func connect(_ options: Options) throws(BenchError) -> Int32 {
    let plan = try Plans.connect(options)
    takeSignals()
    let result = try ConnectRate.run(plan)
    let refusals = result.refusals.sorted { $0.key < $1.key }
    if options.has("--json") {
      var object = JSONObject()
      object.add("kind", word: "connect")
      object.add("good", result.isGood)
      object.add("connections", plan.connections)
      object.add("opened", result.round.events)
      var byStatus = JSONObject()
      for (status, count) in refusals { byStatus.add(status == 0 ? "broken" : String(status), count) }
      object.add("refusals", raw: byStatus.text)
      object.add("unanswered", result.unanswered)
      object.add("closedConnections", result.closedConnections)
      object.add("interrupted", result.interrupted)
      object.add([result.round])
      Kernel.write(object.text + "\n")
    } else {
      var text = "connect: \(plan.connections) connections"
      text += plan.rate.map { ", \(Report.fixed($0, 0)) a second\n" } ?? ", \(ClientPool.openingMax) at a time\n"
      text += Report.table([result.round], event: "connection", events: "connections")
      for (status, count) in refusals { text += "refused \(status == 0 ? "(broken off)" : "\(status)"): \(count)\n" }
      text += "unanswered \(result.unanswered), closed by the server \(result.closedConnections)\n"
      Kernel.write(text)
    }
    return result.isGood ? 0 : 1
  }

  private static func idle(_ options: Options) throws(BenchError) -> Int32 {
    let plan = try Plans.idle(options)
    takeSignals()
    let result = try Idle.run(plan)
    let lines: [(String, String, IdleResult.Growth)] = [
      ("opened", "after opening", result.opened),
      ("held", "after \(Report.fixed(result.heldSeconds, 1)) s", result.held),
    ]
    if options.has("--json") {
      var object = JSONObject()
      object.add("kind", word: "idle")
      object.add("good", result.isGood)
      object.add("connections", result.connections)
      object.add("closedConnections", result.closedConnections)
      object.add("serverShare", result.serverShare)
      for (name, _, growth) in lines {
        object.add(name + "AnonymousBytes", growth.anonymous, 1)
        object.add(name + "PssBytes", growth.proportional, 1)
        object.add(name + "RssBytes", growth.resident, 1)
      }
      object.add("interrupted", result.interrupted)
      Kernel.write(object.text + "\n")
    } else {
      var text = "idle: \(result.connections) connections; bytes of the server's memory per connection\n"
      text += Report.padded("", 16) + ["anonymous", "pss", "VmRSS"].map { Report.right($0, 11) }.joined() + "\n"
      for (_, name, growth) in lines {
        let cells = [growth.anonymous, growth.proportional, growth.resident].map {
          Report.right(Report.fixed($0, 1), 11)
        }
        text += Report.padded(name, 16) + cells.joined() + "\n"
      }
      text += "server CPU while holding \(Report.fixed(result.serverShare * 100, 2)) %"
      text += ", connections closed \(result.closedConnections)\n"
      Kernel.write(text)
    }
    return result.isGood ? 0 : 1
  }
}
