// The clients of handlers and of channels, which share port 8080. Constants.

extension DocumentedClient {
  static let handlers = [
    DocumentedClient(
      "handlers: the sequence diagram, from the token to the answers",
      #"""
      h GET 8080 /get-token?username=user1
      h answers 200 {"token":"?=token"}
      a open 8080 / | Sec-WebSocket-Protocol: $token
      a protocol $token
      a silent
      a > {"type":"user_message","message":"hello"}
      a < {"type":"user_message","message":"User message received"}
      a > {"type":"system_message","message":"hello"}
      a < {"type":"system_message","message":"System message received"}
      a > {"type":"ping","message":""}
      a < {"type":"pong","message":"Pong"}
      a leaves
      """#),
    DocumentedClient(
      "handlers: an address alone, which on this port is a client of channels without a token",
      #"""
      a refused 401 8080 /
      """#),
  ]

  private static let welcome = #"a < {"type":"connected","message":"Welcome to Nexus WebSocket","userId":"usr_123"}"#

  static let channels = [
    DocumentedClient(
      "channels: the browser's class, which subscribes with a filter and hears its agent",
      #"""
      a open 8080 /ws?token=$jwt
      a > {"action":"subscribe","channel":"telemetry","filters":{"agent_id":"agent_euystacio_001"}}
      \#(welcome)
      a < {"type":"subscribed","channel":"telemetry","filters":{"agent_id":"agent_euystacio_001"}}
      a > {"action":"publish","channel":"telemetry","payload":{"agent_id":"another"}}
      a > {"action":"publish","channel":"telemetry","payload":{"agent_id":"agent_euystacio_001","cpu_usage":45.2}}
      a < {"type":"message","channel":"telemetry","from":"usr_123","data":{"agent_id":"agent_euystacio_001","cpu_usage":45.2},"timestamp":"?time"}
      a > {"action":"unsubscribe","channel":"telemetry"}
      a < {"type":"unsubscribed","channel":"telemetry"}
      a > {"action":"publish","channel":"telemetry","payload":{"agent_id":"agent_euystacio_001"}}
      a silent
      a leaves
      """#),
    DocumentedClient(
      "channels: the browser's class after a loss, with its queue first and then its subscriptions",
      #"""
      a open 8080 /ws?token=$jwt
      \#(welcome)
      a > {"action":"subscribe","channel":"telemetry","filters":{}}
      a < {"type":"subscribed","channel":"telemetry","filters":{}}
      a leaves
      a open 8080 /ws?token=$jwt
      a > {"action":"publish","channel":"telemetry","payload":"queued"}
      a > {"action":"subscribe","channel":"telemetry"}
      a > {"action":"subscribe","channel":"telemetry","filters":{"agent_id":"agent_euystacio_001"}}
      \#(welcome)
      a < {"type":"subscribed","channel":"telemetry"}
      a < {"type":"subscribed","channel":"telemetry","filters":{"agent_id":"agent_euystacio_001"}}
      a > {"action":"publish","channel":"telemetry","payload":{"agent_id":"agent_euystacio_001"}}
      a < {"type":"message","channel":"telemetry","from":"usr_123","data":{"agent_id":"agent_euystacio_001"},"timestamp":"?time"}
      a silent
      """#),
    DocumentedClient(
      "channels: the class for Node, which hears the broadcasts of the gateway",
      settings: [("channels.telemetryIntervalMilliseconds", "50")],
      #"""
      a open 8080 /?token=$jwt
      a > {"action":"subscribe","channel":"telemetry"}
      \#(welcome)
      a ~ {"type":"subscribed","channel":"telemetry"}
      a < {"type":"broadcast","channel":"telemetry","data":{"metric":"system_health","value":"?number"},"timestamp":"?time"}
      a < {"type":"broadcast","channel":"telemetry","data":{"metric":"system_health","value":"?number"},"timestamp":"?time"}
      """#),
    DocumentedClient(
      "channels: subscribe, as the message is printed",
      #"""
      a open 8080 /?token=$jwt
      \#(welcome)
      a > {⏎  "action": "subscribe",⏎  "channel": "telemetry",⏎  "filters": {⏎    "agent_id": "agent_euystacio_001"⏎  }⏎}
      a < {"type":"subscribed","channel":"telemetry","filters":{"agent_id":"agent_euystacio_001"}}
      """#),
    DocumentedClient(
      "channels: unsubscribe, as the message is printed",
      #"""
      a open 8080 /?token=$jwt
      \#(welcome)
      a > {⏎  "action": "unsubscribe",⏎  "channel": "telemetry"⏎}
      a < {"type":"unsubscribed","channel":"telemetry"}
      """#),
    DocumentedClient(
      "channels: publish, as the message is printed, to a subscriber of commands",
      #"""
      b open 8080 /?token=$jwt
      b < {"type":"connected","?":0}
      b > {"action":"subscribe","channel":"commands"}
      b < {"type":"subscribed","channel":"commands"}
      a open 8080 /?token=$jwt
      \#(welcome)
      a > {⏎  "action": "publish",⏎  "channel": "commands",⏎  "payload": {⏎    "command": "execute_task",⏎    "task_id": "task_123"⏎  }⏎}
      b < {"type":"message","channel":"commands","from":"usr_123","data":{"command":"execute_task","task_id":"task_123"},"timestamp":"?time"}
      a silent
      """#),
    DocumentedClient(
      "channels: ping, as the message is printed",
      #"""
      a open 8080 /?token=$jwt
      \#(welcome)
      a > {⏎  "action": "ping"⏎}
      a < {"type":"pong","timestamp":"?number"}
      """#),
    DocumentedClient(
      "channels: the error messages",
      #"""
      a open 8080 /?token=$jwt
      \#(welcome)
      a > {"action":
      a < {"type":"error","message":"Invalid JSON format"}
      a > {"action":"dance"}
      a < {"type":"error","message":"Unknown action: dance"}
      a > {"action":"ping"}
      a < {"type":"pong","timestamp":"?number"}
      """#),
    DocumentedClient(
      "channels: wscat on /ws, which subscribes by hand",
      #"""
      a open 8080 /ws?token=$jwt | Origin: http://localhost:8080
      \#(welcome)
      a > {"action":"subscribe","channel":"telemetry"}
      a < {"type":"subscribed","channel":"telemetry"}
      a leaves
      """#),
    DocumentedClient(
      "channels: no token, and tokens that do not verify",
      #"""
      a refused 401 8080 /
      a refused 401 8080 /ws?token=
      a refused 403 8080 /ws?token=$forged
      a refused 403 8080 /ws?token=$expired
      a refused 403 8080 /?token=test-token
      """#),
    DocumentedClient(
      "channels: the test with its literal token, where the operator has given it to a user",
      settings: [("channels.staticTokens", #"{"test-token":"usr_test"}"#)],
      #"""
      a open 8080 /?token=test-token
      a < {"type":"connected","message":"Welcome to Nexus WebSocket","userId":"usr_test"}
      a > {"action":"subscribe","channel":"test"}
      a < {"type":"subscribed","channel":"test"}
      a leaves
      """#),
  ]
}
