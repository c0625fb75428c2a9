// What is refused without ending a WebSocket, or before there is one: HTTP statuses and messages answered with an
// error. Constants.
import Dialects
import Wire

/// A refusal, counted by its label in `martlet_refusals_total` and logged a few times a second at most.
enum Refusal: UInt8, CaseIterable {
  case badRequest, unauthorized, forbidden, forbiddenOrigin, notFound, methodNotAllowed, requestTimeout
  case contentTooLarge, uriTooLong, upgradeRequired, tooManyRequests, headerFieldsTooLarge, notImplemented
  case serviceUnavailable, versionNotSupported, otherStatus
  case invalidJSON, unknownAction, missingChannel, invalidChannel, invalidFilters, tooManySubscriptions
  case socketIORefused
  case tooManyCalls, handlerFailed, invalidMember, tooManyTargets, unauthenticatedCall
  case publicSender

  var label: StaticString {
    switch self {
    case .badRequest: "http_400"
    case .unauthorized: "http_401"
    case .forbidden: "http_403"
    case .forbiddenOrigin: "http_403_origin"
    case .notFound: "http_404"
    case .methodNotAllowed: "http_405"
    case .requestTimeout: "http_408"
    case .contentTooLarge: "http_413"
    case .uriTooLong: "http_414"
    case .upgradeRequired: "http_426"
    case .tooManyRequests: "http_429"
    case .headerFieldsTooLarge: "http_431"
    case .notImplemented: "http_501"
    case .serviceUnavailable: "http_503"
    case .versionNotSupported: "http_505"
    case .otherStatus: "http_other"
    case .invalidJSON: "message_invalid_json"
    case .unknownAction: "message_unknown_action"
    case .missingChannel: "message_missing_channel"
    case .invalidChannel: "message_invalid_channel"
    case .invalidFilters: "message_invalid_filters"
    case .tooManySubscriptions: "message_too_many_subscriptions"
    case .socketIORefused: "socket_io_connect"
    case .tooManyCalls: "message_too_many_calls"
    case .handlerFailed: "message_handler_failed"
    case .invalidMember: "message_invalid_member"
    case .tooManyTargets: "message_too_many_targets"
    case .unauthenticatedCall: "message_unauthenticated_call"
    case .publicSender: "message_public_sender"
    }
  }

  /// The refusal that a status stands for; nil for one that refuses nothing.
  init?(_ status: HTTPStatus) {
    switch status.rawValue {
    case ..<400: return nil
    case 400: self = .badRequest
    case 401: self = .unauthorized
    case 403: self = .forbidden
    case 404: self = .notFound
    case 405: self = .methodNotAllowed
    case 408: self = .requestTimeout
    case 413: self = .contentTooLarge
    case 414: self = .uriTooLong
    case 426: self = .upgradeRequired
    case 429: self = .tooManyRequests
    case 431: self = .headerFieldsTooLarge
    case 501: self = .notImplemented
    case 503: self = .serviceUnavailable
    case 505: self = .versionNotSupported
    default: self = .otherStatus
    }
  }

  init(_ refusal: ChannelsRefusal) {
    switch refusal {
    case .invalidJSON: self = .invalidJSON
    case .unknownAction: self = .unknownAction
    case .missingChannel: self = .missingChannel
    case .invalidChannel: self = .invalidChannel
    case .invalidFilters: self = .invalidFilters
    case .tooManySubscriptions: self = .tooManySubscriptions
    }
  }

  init(_ refusal: WalkersRefusal) {
    switch refusal {
    case .invalidJSON: self = .invalidJSON
    case .unknownType: self = .unknownAction
    case .invalidMember: self = .invalidMember
    case .tooManyTargets: self = .tooManyTargets
    }
  }

  init(_ refusal: EventsRefusal) {
    switch refusal {
    case .notProcessed: self = .invalidJSON
    case .unknownEvent: self = .unknownAction
    case .tooManyRequests: self = .tooManyCalls
    }
  }

  /// What an answer of the handlers dialect refuses; nil for one that refuses nothing.
  init?(_ reply: HandlersReply) {
    switch reply {
    case .invalidJSON: self = .invalidJSON
    case .unknownType: self = .unknownAction
    case .tooManyRequests: self = .tooManyCalls
    case .handlerFailed, .handlerTimedOut: self = .handlerFailed
    case .userMessage, .systemMessage, .pong: return nil
    }
  }

  init(_ refusal: SessionsRefusal) {
    switch refusal {
    case .unknownCommand: self = .unknownAction
    case .invalidJSON: self = .invalidJSON
    case .invalidName: self = .invalidChannel
    case .tooManySubscriptions: self = .tooManySubscriptions
    }
  }
}
