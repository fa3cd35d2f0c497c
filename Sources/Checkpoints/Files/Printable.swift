extension String {
  /// The text as a message can show it: not too long, and without what would steer a terminal.
  var printable: String {
    var result = ""
    for scalar in unicodeScalars.prefix(120) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return unicodeScalars.dropFirst(120).isEmpty ? result : result + "…"
  }
}
