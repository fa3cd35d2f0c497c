import Files

/// What a picture file says that Atrous made of other pictures, such as an overlay or a heat map.
///
/// Such a file in a folder of photographs is no photograph: PNG files have the text `Software: Atrous`
/// right after their header, JPEG files the comment `Atrous` after theirs. A program that edits a
/// picture and writes it anew may leave that out.
package enum OutputMark {
  static let text = "Atrous"
  private static let png: [UInt8] = Array("tEXtSoftware\0\(text)".utf8)
  private static let jpeg: [UInt8] = [0xFF, 0xFE, 0, UInt8(text.utf8.count + 2)] + text.utf8

  /// Whether a file has it; what cannot be read has none.
  package static func isOn(_ path: String) -> Bool {
    let bytes = FileSystem.beginning(path, 96)
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      return (2..<max(2, bytes.count)).contains { bytes[$0...].starts(with: jpeg) }
    }
    return bytes.starts(with: [137, 80, 78, 71, 13, 10, 26, 10])
      && bytes.dropFirst(37).starts(with: png)
  }

  /// A JPEG file with the comment after its first segment, which is JFIF's own.
  static func added(to bytes: [UInt8]) -> [UInt8] {
    guard bytes.count > 6, bytes[2] == 0xFF, bytes[3] == 0xE0 else {
      return Array(bytes.prefix(2)) + jpeg + bytes.dropFirst(2)
    }
    let end = min(bytes.count, 4 + (Int(bytes[4]) << 8 | Int(bytes[5])))
    return Array(bytes.prefix(end)) + jpeg + bytes.dropFirst(end)
  }
}
