// The clients of events: native ones, and Socket.IO's on the wire; on the ports 3000 and 3500. Constants.

extension DocumentedClient {
  static let events =
    [3000, 3500].flatMap { [eventsHTTP(port: $0), socketIO(port: $0), socketIOPolling(port: $0)] } + eventsNative
    + eventsAuthentication

  private static let acquire = """
    s POST 3000 /api/auth/acquire-session
    s answers 200 {"success":true,"data":{"token":"?=token","expiresAt":"?time"}}
    """

  /// The first message of a native connection.
  private static let native = #"""
    < {"event":"connected","data":{"message":"Connected to YektaYar server via native-websocket","socketId":"?text","isLoggedIn":false,"protocol":"native-websocket"}}
    """#

  private static let open =
    #"{"sid":"?=engine","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#

  private static func connected(_ id: String) -> String {
    #"["connected",{"message":"Connected to YektaYar server","socketId":"?=\#(id)","isLoggedIn":false}]"#
  }

  /// What the tools of the project look at before they connect.
  private static func eventsHTTP(port: Int) -> DocumentedClient {
    DocumentedClient(
      "events: curl for a session, health and the server's description on \(port)",
      #"""
      s POST \#(port) /api/auth/acquire-session
      s answers 200 {"success":true,"data":{"token":"?=token","expiresAt":"?time"}}
      h GET \#(port) /health
      h answers 200 {"status":"healthy","timestamp":"?time"}
      h GET \#(port) /
      h answers 200 {"message":"YektaYar WebSocket Server","version":"0.1.0","status":"running","protocols":{"socketio":{"path":"/socket.io/","?":0},"websocket":{"path":"/","?":0}},"usage":{"socketio":"?text","websocket":"?text"},"features":{"rest":true,"websocket":true,"sessionAcquisition":true}}
      a open \#(port) /?token=$token
      a \#(native)
      """#)
  }

  /// The address with `/socket.io/`, which the client takes for a namespace, over its first transport.
  private static func socketIO(port: Int) -> DocumentedClient {
    DocumentedClient(
      "events: Socket.IO on \(port) with its path as the namespace, over a WebSocket",
      #"""
      \#(acquire)
      a open \#(port) /socket.io/?EIO=4&transport=websocket
      a < 0{"sid":"?=engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
      a > 40/socket.io/,{"token":"$token"}
      a < 40/socket.io/,{"sid":"?=id"}
      a > 42/socket.io/,["ping"]
      a > 42/socket.io/,["status"]
      a > 42/socket.io/,["ai:chat",{"message":"Hello, AI!","conversationHistory":[]}]
      a < 42/socket.io/,\#(connected("id"))
      a < 42/socket.io/,["pong",{"timestamp":"?time"}]
      a < 42/socket.io/,["status_response",{"server":{"name":"YektaYar API Server","version":"0.1.0","status":"running","timestamp":"?time"},"connection":{"socketId":"$id","sessionToken":"?text","userId":null,"isLoggedIn":false,"rooms":["$id","session:$token"]}}]
      a < 42/socket.io/,["ai:response:start",{"messageId":"?=reply"}]
      a < 42/socket.io/,["ai:response:chunk",{"messageId":"$reply","chunk":"?text"}]
      a ~ 42/socket.io/,["ai:response:complete",{"messageId":"$reply","fullResponse":"?text"}]
      a > 41/socket.io/,
      a silent
      a leaves
      """#)
  }

  /// The same address over its second transport.
  private static func socketIOPolling(port: Int) -> DocumentedClient {
    let place = "\(port) /socket.io/?EIO=4&transport=polling"
    return DocumentedClient(
      "events: Socket.IO on \(port) with its path as the namespace, by polling",
      #"""
      \#(acquire)
      h GET \#(place)
      h answers 200 0\#(open)
      p POST \#(place)&sid=$engine << 40/socket.io/,{"token":"$token"}
      p answers 200 ok
      h GET \#(place)&sid=$engine
      h answers 200 40/socket.io/,{"sid":"?=id"}␞42/socket.io/,\#(connected("id"))
      p POST \#(place)&sid=$engine << 42/socket.io/,["ping"]␞42/socket.io/,["echo",{"message":"x"}]
      p answers 200 ok
      h GET \#(place)&sid=$engine
      h answers 200 42/socket.io/,["pong",{"timestamp":"?time"}]␞42/socket.io/,["echo_response",{"received":{"message":"x"},"timestamp":"?time","socketId":"$id"}]
      p POST \#(place)&sid=$engine << 41/socket.io/,␞1
      p answers 200 ok
      h GET \#(place)&sid=$engine
      h answers 400 {"code":1,"message":"Session ID unknown"}
      """#)
  }

  private static let eventsNative = [
    DocumentedClient(
      "events: a native WebSocket with the token in the address",
      #"""
      \#(acquire)
      a open 3500 /ws?token=$token
      a > {"event":"ping"}
      a \#(native)
      a < {"event":"pong","data":{"timestamp":"?time"}}
      a leaves
      """#),
    DocumentedClient(
      "events: a native WebSocket with the token in a header",
      #"""
      \#(acquire)
      a open 3500 / | Authorization: Bearer $token
      a > {"event":"ping"}
      a \#(native)
      a < {"event":"pong","data":{"timestamp":"?time"}}
      a leaves
      """#),
    DocumentedClient(
      "events: wscat, which types ping, status and echo",
      #"""
      \#(acquire)
      a open 3500 /ws?token=$token
      a \#(native)
      a > {"event":"ping"}
      a < {"event":"pong","data":{"timestamp":"?time"}}
      a > {"event":"status"}
      a < {"event":"status_response","data":{"server":{"name":"YektaYar API Server","version":"0.1.0","status":"running","timestamp":"?time"},"connection":{"socketId":"?text","sessionToken":"?text","userId":null,"isLoggedIn":false,"protocol":"native-websocket"}}}
      a > {"event":"echo","data":"Hello World"}
      a < {"event":"echo_response","data":{"received":"Hello World","timestamp":"?time","socketId":"?text"}}
      a leaves
      """#),
  ]

  private static let eventsAuthentication = [
    DocumentedClient(
      "events: Socket.IO with the token in auth, polling that is upgraded",
      #"""
      \#(acquire)
      h GET 3500 /socket.io/?EIO=4&transport=polling
      h answers 200 0\#(open)
      p POST 3500 /socket.io/?EIO=4&transport=polling&sid=$engine << 40{"token":"$token"}
      p answers 200 ok
      h GET 3500 /socket.io/?EIO=4&transport=polling&sid=$engine
      h answers 200 40{"sid":"?=id"}␞42\#(connected("id"))
      h GET 3500 /socket.io/?EIO=4&transport=polling&sid=$engine
      a open 3500 /socket.io/?EIO=4&transport=websocket&sid=$engine
      a > 2probe
      a < 3probe
      h answers 200 6
      a > 5
      a > 42["info"]
      a < 42["info_response",{"websocket":{"connected":true,"transport":"websocket","protocol":4,"activeConnections":"?number"},"?":0}]
      a leaves
      """#),
    DocumentedClient(
      "events: Socket.IO with the token in the address",
      #"""
      \#(acquire)
      h GET 3500 /socket.io/?token=$token&EIO=4&transport=polling
      h answers 200 0\#(open)
      p POST 3500 /socket.io/?token=$token&EIO=4&transport=polling&sid=$engine << 40
      p answers 200 ok
      h GET 3500 /socket.io/?token=$token&EIO=4&transport=polling&sid=$engine
      h answers 200 40{"sid":"?=id"}␞42\#(connected("id"))
      """#),
    DocumentedClient(
      "events: no token, and one that nobody was given",
      #"""
      a refused 401 3500 /ws
      a refused 401 3500 /ws?token=YOUR_SESSION_TOKEN
      a refused 401 3500 / | Authorization: ******
      b open 3500 /socket.io/?EIO=4&transport=websocket
      b < 0{"?":0}
      b > 40/socket.io/,{"token":"YOUR_SESSION_TOKEN"}
      b < 44/socket.io/,{"message":"Invalid or expired session token"}
      """#),
    DocumentedClient(
      "events: pages of the origins that CORS_ORIGIN lists, and of another",
      settings: [("corsOrigins", "http://localhost:5173,http://localhost:8100")],
      #"""
      s POST 3000 /api/auth/acquire-session | Origin: http://localhost:5173
      s answers 200 {"success":true,"data":{"token":"?=token","expiresAt":"?time"}}
      a open 3500 /ws?token=$token | Origin: http://localhost:8100
      a \#(native)
      a refused 403 3500 /ws?token=$token | Origin: http://elsewhere.example
      """#),
  ]
}
