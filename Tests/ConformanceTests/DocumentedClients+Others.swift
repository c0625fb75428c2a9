// The clients of sessions on port 8081 and of walkers on port 8000. Constants.

extension DocumentedClient {
  /// A token from the endpoint that every authenticated client asks first.
  private static func token(_ session: String, name: String = "token") -> String {
    #"""
    h POST 8081 /auth/token | Content-Type: application/json << {"username":"testuser","password":"password","session_id":"\#(session)"}
    h answers 200 {"token":"?=\#(name)","expires_in":3600}
    """#
  }

  private static func note(
    _ topic: String, _ payload: String, _ session: String, publisher: String = "Client1"
  ) -> String {
    #"{"publisher_name":"\#(publisher)","topic":"\#(topic)","payload":"\#(payload)","#
      + #""timestamp":"2024-01-24T10:25:37Z","session_id":"\#(session)"}"#
  }

  /// What the client in Rust does between its connect and its publish. Nothing but the last is answered.
  private static func rust(_ session: String) -> String {
    """
    a > register-name:Client1
    a > register-session:\(session)
    a > subscribe:DetectCustomerEvent|\(session)
    a > subscribe:NetworkConnectedEvent|\(session)
    a > publish-json:\(note("NetworkConnectedEvent", "Network connected successfully", session))
    a < \(note("NetworkConnectedEvent", "Network connected successfully", session))
    a > ping
    a < pong
    """
  }

  static let sessions = [
    DocumentedClient("sessions: the request for a token", token("optional-session-id")),
    DocumentedClient(
      "sessions: the browser's client, which publishes to a topic that it then subscribes to",
      #"""
      \#(token("user-session-456"))
      a open 8081 /ws?token=$token
      a > register-name:Client1
      a > register-session:user-session-456
      a > subscribe:DetectCustomerEvent|user-session-456
      a > publish-json:\#(note("NetworkConnectedEvent", "Network connected successfully", "user-session-456"))
      a silent
      a > subscribe:NetworkConnectedEvent|user-session-456
      a > publish-json:\#(note("NetworkConnectedEvent", "Network connected successfully", "user-session-456"))
      a < \#(note("NetworkConnectedEvent", "Network connected successfully", "user-session-456"))
      a leaves
      """#),
    DocumentedClient(
      "sessions: the browser's complete example, which hears itself",
      #"""
      \#(token("session-A"))
      a open 8081 /ws?token=$token
      a > register-name:Client1
      a > register-session:session-A
      a > subscribe:NetworkConnectedEvent|session-A
      a > subscribe:DetectCustomerEvent|session-A
      a > publish-json:\#(note("NetworkConnectedEvent", "Hello from client!", "session-A"))
      a < \#(note("NetworkConnectedEvent", "Hello from client!", "session-A"))
      """#),
    DocumentedClient(
      "sessions: Rust, connected with the session of its name", "a open 8081 /ws\n" + rust("session-Client1")),
    DocumentedClient(
      "sessions: Rust, connected with a session of its choice", "a open 8081 /ws\n" + rust("user-session-123")),
    DocumentedClient(
      "sessions: Rust, connected with a token of one session and at work in another",
      token("user-session-123") + "\na open 8081 /ws?token=$token\n" + rust("session-Client1")),
    DocumentedClient(
      "sessions: Rust, whose token is replaced before it ends",
      token("user-session-123") + "\n" + token("user-session-123", name: "newer")
        + "\na open 8081 /ws?token=$newer\n" + rust("user-session-123")),
    DocumentedClient(
      "sessions: the diagram, Rust and a browser in one session, another session beside them",
      #"""
      \#(token("session-A"))
      b open 8081 /ws?token=$token
      b > register-name:Browser
      b > subscribe:NetworkConnectedEvent|session-A
      b > ping
      b < pong
      c open 8081 /ws
      c > register-session:session-B
      c > subscribe:NetworkConnectedEvent|session-B
      c > ping
      c < pong
      a open 8081 /ws
      \#(rust("session-A"))
      b < \#(note("NetworkConnectedEvent", "Network connected successfully", "session-A"))
      b > publish-json:\#(note("DetectCustomerEvent", "seen", "session-A", publisher: "Browser"))
      a < \#(note("DetectCustomerEvent", "seen", "session-A", publisher: "Browser"))
      c > ping
      c < pong
      """#),
  ]

  private static let publicRoot = "n::000000000000000000000001"

  /// An account, and the token that its clients carry.
  private static let login = #"""
    h POST 8000 /user/register | Content-Type: application/json << {"email":"user@example.com","password":"a long password"}
    h answers 201 {"message":"Successfully Registered!"}
    h POST 8000 /user/login | Content-Type: application/json << {"email":"user@example.com","password":"a long password"}
    h answers 200 {"token":"?=token","user":{"root_id":"?=root","?":0}}
    """#

  private static func connection(_ root: String, _ name: String = "a") -> String {
    #"\#(name) < {"type":"connection","data":{"client_id":"?=client","root_id":"\#(root)","channel_id":"?=channel"}}"#
  }

  private static let chat = #"{"type":"chat","data":{"any_field":"any_value"}}"#

  /// Every event that the page shows, each sent to the client itself.
  private static func everyEvent(_ root: String) -> String {
    #"""
    a > {"type":"client","client_ids":["$client"],"data":\#(chat)}
    a < \#(chat)
    a > {"type":"channel","channel_ids":["$channel"],"data":\#(chat)}
    a < \#(chat)
    a > {"type":"user","root_ids":["\#(root)"],"data":\#(chat)}
    a < \#(chat)
    a > {"type":"connection"}
    \#(connection(root))
    a silent
    """#
  }

  static let walkers = [
    DocumentedClient(
      "walkers: a public client and every event, a walker that nobody has among them",
      #"""
      a open 8000 /websocket
      \#(connection(publicRoot))
      a > {"type":"walker","walker":"your_walker_name","response":true,"context":{}}
      a < {"type":"walker","error":"Invalid request! Please use valid walker event!"}
      \#(everyEvent(publicRoot))
      """#),
    DocumentedClient(
      "walkers: a client that becomes a user as soon as it is open",
      #"""
      \#(login)
      a open 8000 /websocket
      a > {"type":"change_user","token":"Bearer $token"}
      \#(connection(publicRoot))
      \#(connection("n::$root"))
      a > {"type":"walker","walker":"your_event_name","response":true,"context":{"val":1}}
      a < {"status":200,"reports":["Do something!"]}
      \#(everyEvent("n::$root"))
      """#),
    DocumentedClient(
      "walkers: a client in Node with its token in a header",
      #"""
      \#(login)
      a open 8000 /websocket | Authorization: Bearer $token
      \#(connection("n::$root"))
      a > {"type":"walker","walker":"your_event_name","response":true,"context":{"val":1}}
      a < {"status":200,"reports":["Do something!"]}
      \#(everyEvent("n::$root"))
      """#),
    DocumentedClient(
      "walkers: the events as they are printed, in a channel of one's choice",
      #"""
      \#(login)
      b open 8000 /websocket?channel_id=anystring
      b < {"type":"connection","data":{"client_id":"?=other","root_id":"\#(publicRoot)","channel_id":"anystring"}}
      a open 8000 /websocket
      \#(connection(publicRoot))
      a > {⏎	"type": "channel",⏎    "channel_ids": ["anystring"],⏎	"data": {⏎        "val": 1⏎	}⏎}
      b < {"val":1}
      a > {⏎	"type": "client",⏎    "client_ids": ["$other"],⏎	"data": {⏎        "val": 1⏎	}⏎}
      b < {"val":1}
      b > {⏎	"type": "change_user",⏎	"token": "bearer $token"⏎}
      b < {"type":"connection","data":{"client_id":"$other","root_id":"n::$root","channel_id":"anystring"}}
      a > {⏎	"type": "user",⏎    "root_ids": ["n::$root"],⏎	"data": {⏎        "val": 1⏎	}⏎}
      b < {"val":1}
      b > {⏎	"type": "walker",⏎	"walker": "your_event_name",⏎	"response": true,⏎	"context": {⏎        "val": 1⏎	}⏎}
      b < {"status":200,"reports":["Do something!"]}
      b > {⏎	"type": "change_user"⏎}
      b < {"type":"connection","data":{"client_id":"$other","root_id":"\#(publicRoot)","channel_id":"anystring"}}
      a silent
      """#),
    DocumentedClient(
      "walkers: the chat walkers, over a socket and over HTTP",
      #"""
      \#(login)
      b open 8000 /websocket?channel_id=anystring
      b < {"type":"connection","data":{"client_id":"?=other","root_id":"\#(publicRoot)","channel_id":"anystring"}}
      a open 8000 /websocket | Authorization: Bearer $token
      \#(connection("n::$root"))
      a > {"type":"walker","walker":"send_chat_to_user","response":true,"context":{"root_id":"\#(publicRoot)"}}
      b < {"type":"chat","data":{"message":"string"}}
      a < {"status":200,"reports":[]}
      a > {"type":"walker","walker":"send_chat_to_group","context":{"channel_id":"anystring"}}
      b < {"type":"chat","data":{"message":"string"}}
      a > {"type":"walker","walker":"send_chat_to_client","context":{"client_id":"$other"}}
      b < {"type":"chat","data":{"message":"string"}}
      h POST 8000 /walker/send_chat_to_group | Authorization: Bearer $token << {"channel_id":"anystring"}
      h answers 200 {"status":200,"reports":[]}
      b < {"type":"chat","data":{"message":"string"}}
      a silent
      """#),
  ]
}
