// What the readers of nested settings share: members of an object, flags, mistakes and their places. Start-up only.

/// Reads a setting that is a list or an object, and collects every mistake in it. A place is the path below that.
protocol ConfigurationReader {
  var refusals: [Setting.Refusal] { get set }
}

extension ConfigurationReader {
  /// The members of an object; nil for anything else. A key that is not one of `keys` is a mistake.
  mutating func object(
    _ value: ConfigurationValue, _ place: String, keys: [String]
  ) -> [String: ConfigurationValue]? {
    guard case .object(let members) = value else {
      refuse(place, "expected an object, got \(value.excerpt)")
      return nil
    }
    for key in members.keys.sorted() where !keys.contains(key) {
      refuse("\(place).\(key)", "unknown key" + Suggestion.clause(for: key, among: keys))
    }
    return members
  }

  /// A flag, or `otherwise` when there is none.
  mutating func flag(_ value: ConfigurationValue?, _ place: String, otherwise: Bool) -> Bool {
    guard let value else { return otherwise }
    if case .boolean(let flag) = value { return flag }
    refuse(place, "expected true or false, got \(value.excerpt)")
    return otherwise
  }

  mutating func refuse(_ place: String, _ text: String) {
    refusals.append(Setting.Refusal(place: place, text: text))
  }
}
