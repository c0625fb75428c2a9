// A chat bot: a gateway with a request, an event, a walker and hooks of its own. Run it with
//   swift run ChatBot --dev
import Martlet

struct Question: Codable, Sendable {
  var message: String
}

struct Answer: Codable, Sendable {
  var type = "answer"
  var message: String
}

struct Score: Codable, Sendable {
  var player: String
  var points: Int
}

struct Notice: Codable, Sendable {
  var type: String
  var text: String
}

let gateway = MartletGateway(.commandLine())

// {"type":"ask","message":"…"} of the handlers dialect: what is returned is the reply.
gateway.onRequest("ask", as: Question.self) { request, question in
  guard !question.message.isEmpty else { throw Rejection("Ask me something") }
  return Answer(message: "\(request.user ?? "Somebody") wonders: \(question.message)")
}

// The same without types: replies as JSON text, as many as it likes.
gateway.onRequest("count") { request in
  for number in 1...3 { request.reply(json: #"{"type":"count","number":\#(number)}"#) }
}

// {"event":"score","data":{"player":"…","points":…}} of the events dialect: an answer to the player, a broadcast to
// the channel `scores`.
gateway.onEvent("score", as: Score.self) { event, score in
  guard score.points >= 0 else { throw Rejection("Points cannot be negative") }
  try event.reply(Answer(message: "\(score.player) has \(score.points)"))
  try event.broadcast(channel: "scores", score)
}

// {"type":"walker","walker":"greet","response":true,"context":{"name":"…"}} of the walkers dialect, and
// POST /walker/greet.
gateway.walker("greet", fields: [.string("name")], requiresAuthentication: false, methods: [.websocket, .post]) {
  walker in
  struct Context: Codable { var name: String }
  let name = try walker.decode(Context.self).name
  try walker.notifyChannels(["lobby"], Notice(type: "chat", text: "\(name) is here"))
  try walker.report("Hello, \(name)!")
}

// Everyone on the channel `presence` learns who comes.
gateway.onConnected { event in
  try event.clients.publish(channel: "presence", data: ["connected": event.user ?? "somebody"])
}
gateway.onSubscribed { event in
  try event.clients.publish(channel: "presence", data: ["subscribed": event.topic ?? ""])
}
gateway.onDisconnected { event in
  try event.clients.publish(channel: "presence", data: ["disconnected": event.user ?? "somebody"])
}

await gateway.run()
