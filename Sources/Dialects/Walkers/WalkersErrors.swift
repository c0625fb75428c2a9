// The walkers dialect: what is wrong with a message, as the list of error objects that its clients know. Any thread.
import Buffers
import Wire

/// What can be wrong with a value, in the words that clients of the walkers dialect may compare with (PROTOCOLS 5.2).
public enum WalkersFault: Sendable, Equatable {
  case notAnObject, noTag, missing, notJSON
  case notAString, notAList, notADictionary
  case notAnInteger, unreadableInteger, fractionalInteger, hugeInteger
  case notANumber, unreadableNumber, infiniteNumber
  case notABoolean, unreadableBoolean
  case emptyList
  /// More elements than the limit, which comes with it.
  case longList(limit: Int, count: Int)

  /// The member `type` of the error.
  var type: StaticString {
    switch self {
    case .notAnObject: "model_attributes_type"
    case .noTag: "union_tag_not_found"
    case .missing: "missing"
    case .notJSON: "json_invalid"
    case .notAString: "string_type"
    case .notAList: "list_type"
    case .notADictionary: "dict_type"
    case .notAnInteger: "int_type"
    case .unreadableInteger: "int_parsing"
    case .fractionalInteger: "int_from_float"
    case .hugeInteger: "int_parsing_size"
    case .notANumber: "float_type"
    case .unreadableNumber: "float_parsing"
    case .infiniteNumber: "finite_number"
    case .notABoolean: "bool_type"
    case .unreadableBoolean: "bool_parsing"
    case .emptyList: "too_short"
    case .longList: "too_long"
    }
  }

  /// The member `msg`, as far as it is the same for all values.
  var message: StaticString {
    switch self {
    case .notAnObject: "Input should be a valid dictionary or object to extract fields from"
    case .noTag: "Unable to extract tag using discriminator 'type'"
    case .missing: "Field required"
    case .notJSON: "JSON decode error"
    case .notAString: "Input should be a valid string"
    case .notAList: "Input should be a valid list"
    case .notADictionary: "Input should be a valid dictionary"
    case .notAnInteger: "Input should be a valid integer"
    case .unreadableInteger: "Input should be a valid integer, unable to parse string as an integer"
    case .fractionalInteger: "Input should be a valid integer, got a number with a fractional part"
    case .hugeInteger: "Unable to parse input string as an integer, exceeded maximum size"
    case .notANumber: "Input should be a valid number"
    case .unreadableNumber: "Input should be a valid number, unable to parse string as a number"
    case .infiniteNumber: "Input should be a finite number"
    case .notABoolean: "Input should be a valid boolean"
    case .unreadableBoolean: "Input should be a valid boolean, unable to interpret input"
    case .emptyList: "List should have at least 1 item after validation, not 0"
    case .longList: "List should have at most "
    }
  }
}

/// Where a value stands that is at fault: the member `loc` of the error.
struct WalkersLocation {
  /// The leading elements as JSON, without a comma at the end; may be empty.
  var prefix: StaticString
  /// The name of the member, where it is about one.
  var name: String?
  /// The element of the member's list, where it is about one.
  var index: Int?
}

/// A list of errors under construction; it allocates nothing until there is one.
public struct WalkersErrors: ~Copyable {
  /// Errors that are listed of one message, so that a list full of mistakes is not answered by one a hundred times as
  /// long.
  public static var listedMax: Int { 32 }
  /// Bytes of a faulty value that an error repeats; of a longer one it repeats the beginning, as a string.
  public static var inputBytesMax: Int { 4_096 }
  /// Bytes of an unknown type or reference that an error's text repeats.
  public static var quotedBytesMax: Int { 256 }

  private var text = ByteBuffer()
  /// Errors found, those that are not listed among them.
  public private(set) var count = 0

  /// No errors.
  public init() {}

  /// Whether nothing is wrong.
  public var isEmpty: Bool { count == 0 }

  /// Forgets all errors; the buffer keeps its room.
  public mutating func removeAll() {
    text.removeAll()
    count = 0
  }

  /// The listed errors as JSON, separated by commas.
  public var list: Span<UInt8> {
    @_lifetime(borrow self)
    get { text.bytes }
  }

  /// Adds an error that is only a sentence.
  public mutating func add(_ sentence: StaticString) {
    guard begin() else { return }
    text.append("\"")
    text.append(sentence)
    text.append("\"")
  }

  /// Adds `[id] is not a valid reference!`, for a root id.
  mutating func add(invalidReference id: JSONValue, in bytes: Span<UInt8>) {
    guard begin() else { return }
    var sentence = ByteBuffer(capacity: 64)
    sentence.append("[")
    Self.appendCut(bytes, id, to: &sentence)
    sentence.append("] is not a valid reference!")
    JSONString.appendQuoted(sentence.bytes, to: &text)
  }

  /// Adds the error about a `type` that there is none of. `input` is the whole message.
  mutating func add(unknownTag tag: JSONValue, in bytes: Span<UInt8>, input: JSONValue) {
    guard begin() else { return }
    var sentence = ByteBuffer(capacity: 256)
    sentence.append("Input tag '")
    switch tag.kind {
    case .null: sentence.append("None")
    case .true: sentence.append("True")
    case .false: sentence.append("False")
    default: Self.appendCut(bytes, tag, to: &sentence)
    }
    sentence.append("' found using 'type' does not match any of the expected tags: ")
    sentence.append("'connection', 'walker', 'user', 'channel', 'client', 'change_user'")
    text.append("{\"type\":\"union_tag_invalid\",\"loc\":[\"event\"],\"msg\":")
    JSONString.appendQuoted(sentence.bytes, to: &text)
    appendInput(bytes.extracting(input.range))
  }

  /// Adds an error about a value, `input`, in raw JSON.
  mutating func add(_ fault: WalkersFault, at location: WalkersLocation, input: Span<UInt8>) {
    guard begin() else { return }
    text.append("{\"type\":\"")
    text.append(fault.type)
    text.append("\",\"loc\":[")
    text.append(location.prefix)
    if let name = location.name {
      if location.prefix.utf8CodeUnitCount > 0 { text.append(",") }
      JSONString.appendQuoted(name, to: &text)
    }
    if let index = location.index {
      text.append(",")
      text.append(decimal: index)
    }
    text.append("],\"msg\":\"")
    text.append(fault.message)
    if case .longList(let limit, let count) = fault {
      text.append(decimal: limit)
      text.append(" items after validation, not ")
      text.append(decimal: count)
    }
    text.append("\"")
    appendInput(input)
  }

  /// Counts an error and separates it from the one before; false when enough are listed.
  private mutating func begin() -> Bool {
    count += 1
    if count > Self.listedMax { return false }
    if count > 1 { text.append(",") }
    return true
  }

  private mutating func appendInput(_ input: Span<UInt8>) {
    text.append(",\"input\":")
    if input.count <= Self.inputBytesMax {
      text.append(input)
    } else {
      var beginning = ByteBuffer(capacity: Self.inputBytesMax + 4)
      beginning.append(input.extracting(0..<Self.inputBytesMax))
      Self.cut(&beginning, to: Self.inputBytesMax - 1)
      beginning.append(string: "…")
      JSONString.appendQuoted(beginning.bytes, to: &text)
    }
    text.append("}")
  }

  /// Appends the text of a string, or the JSON of any other value, cut to `quotedBytesMax` bytes.
  private static func appendCut(_ bytes: Span<UInt8>, _ value: JSONValue, to out: inout ByteBuffer) {
    var whole = ByteBuffer(capacity: 64)
    // Six bytes of JSON are at least one of text, so the rest of a long string cannot matter.
    if value.kind == .string && value.end - value.start <= quotedBytesMax * 12 {
      JSONString.decode(bytes, value, into: &whole)
    } else {
      let start = value.kind == .string ? value.start + 1 : value.start
      whole.append(bytes.extracting(start..<min(value.end, start + quotedBytesMax * 2)))
    }
    if whole.count > quotedBytesMax { cut(&whole, to: quotedBytesMax) }
    out.append(whole.bytes)
  }

  /// Truncates UTF-8 to at most `limit` bytes, which it is longer than, at the beginning of a character.
  private static func cut(_ text: inout ByteBuffer, to limit: Int) {
    var end = limit
    while end > 0 && text.bytes[end] & 0xC0 == 0x80 { end -= 1 }
    text.truncate(to: end)
  }
}
