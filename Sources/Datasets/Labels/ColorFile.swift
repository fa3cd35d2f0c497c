import Files
import Foundation
import Imaging

/// The names and colours of classes in a file of an annotation tool: Pascal VOC's `labelmap.txt`, as CVAT
/// and datumaro write it, or CamVid's `label_colors.txt`.
///
/// A line of the first is `name:r,g,b:parts:actions`, of the second `r g b name`, whose name may have
/// spaces. Where a line has no colour, as in exports of projects without any, the pictures have that of
/// its place in PASCAL VOC's colour map. Both tools may leave out the line of `background`, class 0 and
/// black in the pictures; it is put first then, unless something else is black.
public struct ColorFile: Sendable, Equatable {
  /// A class and its colours.
  public struct Entry: Sendable, Equatable {
    /// The class's name.
    public var name: String
    /// The colours that stand for it, at least one.
    public var colors: [Color]
  }

  /// The classes in the file's order, `background` first.
  public let entries: [Entry]

  /// Reads a file.
  ///
  /// - Throws: `DatasetError.invalidColorFile` naming the line that makes no sense, or two names of one
  ///   colour.
  public init(contentsOf path: String) throws {
    guard let data = FileSystem.contents(path) else {
      throw DatasetError.invalidColorFile(
        file: path, line: nil,
        reason: "cannot be read; expected a labelmap.txt or label_colors.txt")
    }
    try self.init(String(decoding: data, as: UTF8.self), named: path)
  }

  /// Reads text; `named` stands for the file in messages.
  ///
  /// - Throws: As ``init(contentsOf:)``.
  public init(_ text: String, named file: String) throws {
    var found: [(name: String, color: Color?)] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let line = line.drop { $0 == "\u{FEFF}" }.trimmingCharacters(in: .whitespaces)
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      found.append(try Self.entry(line, file, index + 1))
    }
    guard !found.isEmpty else {
      throw DatasetError.invalidColorFile(
        file: file, line: nil,
        reason: "names no class; expected lines such as `road:128,64,128::` or `128 64 128 road`")
    }
    let black = Color(0, 0, 0)
    if let place = found.firstIndex(where: { $0.name == "background" }) {
      found.insert(found.remove(at: place), at: 0)
    } else if !found.contains(where: { $0.color == black }) {
      found.insert(("background", black), at: 0)
    }
    let palette = LabelMap.palette(count: found.count)
    var entries: [Entry] = []
    var names: [Color: String] = [:]
    for (place, line) in found.enumerated() {
      let color = line.color ?? palette[place]
      if let other = names.updateValue(line.name, forKey: color), other != line.name {
        throw DatasetError.invalidColorFile(
          file: file, line: nil,
          reason: "gives \(color.text) to \(other) and to \(line.name); expected different colours")
      }
      if let known = entries.firstIndex(where: { $0.name == line.name }) {
        if !entries[known].colors.contains(color) { entries[known].colors.append(color) }
      } else {
        entries.append(Entry(name: line.name, colors: [color]))
      }
    }
    self.entries = entries
  }

  private static func entry(
    _ line: String, _ file: String, _ number: Int
  ) throws -> (String, Color?) {
    func fail(_ found: String) -> DatasetError {
      .invalidColorFile(
        file: file, line: number,
        reason:
          "\(found); expected `name:r,g,b:parts:actions` or `r g b name`, levels from 0 to 255")
    }
    let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    if fields.count > 1 {
      // A name may hold colons: what follows it are three fields, or the colour alone.
      let place = fields.count > 3 ? fields.count - 3 : 1
      let name = fields[..<place].joined(separator: ":")
      guard !name.isEmpty else { throw fail("has no name") }
      guard !fields[place].isEmpty else { return (name, nil) }
      guard let color = Color(text: fields[place]) else {
        throw fail("has the colour '\(fields[place])'")
      }
      return (name, color)
    }
    let words = line.split(whereSeparator: \.isWhitespace)
    guard words.count > 3, words.prefix(3).allSatisfy({ Int($0) != nil }) else {
      // Without colours a line is the name.
      guard words.first.map({ Int($0) == nil }) ?? false else { throw fail("is '\(line)'") }
      return (words.joined(separator: " "), nil)
    }
    guard let color = Color(text: words.prefix(3).joined(separator: ",")) else {
      throw fail("has the colour '\(words.prefix(3).joined(separator: " "))'")
    }
    return (words.dropFirst(3).joined(separator: " "), color)
  }
}

extension Color {
  /// A colour written `#8040ff`, `128,64,255` or `128 64 255`; nil for anything else.
  package init?(text: String) {
    if text.hasPrefix("#") {
      let digits = text.dropFirst()
      guard digits.count == 6, digits.allSatisfy(\.isHexDigit), let number = Int(digits, radix: 16)
      else { return nil }
      self.init(
        UInt8(number >> 16), UInt8(truncatingIfNeeded: number >> 8),
        UInt8(truncatingIfNeeded: number))
      return
    }
    let parts = text.split { $0 == "," || $0 == " " }
    let levels = parts.compactMap { UInt8($0) }
    guard parts.count == 3, levels.count == 3 else { return nil }
    self.init(levels[0], levels[1], levels[2])
  }
}
