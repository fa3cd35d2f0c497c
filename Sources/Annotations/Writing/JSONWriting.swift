import Foundation

/// JSON as text, in the order in which it is given.
enum JSONText {
  /// A text in quotes.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case _ where scalar.value < 32: result += String(format: "\\u%04x", Int(scalar.value))
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// A number, whole ones without a point.
  static func number(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }

  /// A list of x and y in turn.
  static func flat(_ ring: [Point]) -> String {
    "[" + ring.map { "\(number($0.x)), \(number($0.y))" }.joined(separator: ", ") + "]"
  }

  /// A list of places.
  static func pairs(_ ring: [Point]) -> String {
    "[" + ring.map { "[\(number($0.x)), \(number($0.y))]" }.joined(separator: ", ") + "]"
  }
}

extension Double {
  /// The number with so many digits after the point at most.
  func rounded(digits: Int) -> Double {
    let scale = pow(10, Double(digits))
    return (self * scale).rounded() / scale
  }
}
