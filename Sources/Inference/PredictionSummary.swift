import Files
import Foundation
import Imaging

/// What was found in the images of a folder: how much of each there is of every class, and how sure the network
/// was.
public struct PredictionSummary: Sendable, Codable, Equatable {
  /// A class in an image, or in all.
  public struct Area: Sendable, Codable, Equatable {
    /// The class's name.
    public let name: String
    /// Its pixels, and their share of those that were measured.
    public var pixels: Int, share: Double
    /// The mean probability of the class over its pixels, where it was asked for.
    public var confidence: Double?
    /// The area on the ground in square metres, where the image tells its place.
    public var squareMetres: Double?
  }

  /// What was found in an image.
  public struct Entry: Sendable, Codable, Equatable {
    /// The image file's name, without its folder.
    public let file: String
    /// The image's size.
    public let width, height: Int
    /// The pixels in which something was measured.
    public let pixels: Int
    /// The classes that occur, the largest first.
    public let classes: [Area]
  }

  /// An image that could not be segmented.
  public struct Failure: Sendable, Codable, Equatable {
    /// The image file's name.
    public let file: String
    /// Why.
    public let reason: String
  }

  /// The networks' files.
  public var networks: [String]
  /// A number that differs for other networks and other settings.
  public var settings: String
  /// The part of the folder; nil for all of it.
  public var shard: Shard?
  /// What was found, by the files' names.
  public var images: [Entry]
  /// What failed.
  public var failed: [Failure]
  /// The classes over all images.
  public private(set) var total: [Area]

  /// A summary of images.
  init(
    networks: [String], settings: String, shard: Shard?, images: [Entry], failed: [Failure]
  ) {
    (self.networks, self.settings, self.shard) = (networks, settings, shard)
    self.images = images.sorted { $0.file < $1.file }
    self.failed = failed
    total = Self.total(images)
  }

  private static func total(_ images: [Entry]) -> [Area] {
    var sums: [String: Area] = [:]
    let pixels = images.reduce(0) { $0 + $1.pixels }
    for area in images.flatMap(\.classes) {
      var sum = sums[area.name] ?? Area(name: area.name, pixels: 0, share: 0)
      // Means count by their pixels.
      if let own = area.confidence {
        let before = (sum.confidence ?? 0) * Double(sum.pixels)
        sum.confidence =
          (before + own * Double(area.pixels)) / Double(max(1, sum.pixels + area.pixels))
      }
      if let own = area.squareMetres { sum.squareMetres = (sum.squareMetres ?? 0) + own }
      sum.pixels += area.pixels
      sums[area.name] = sum
    }
    return sums.values.map { area in
      var area = area
      area.share = Double(area.pixels) / Double(max(1, pixels))
      return area
    }.sorted { ($0.pixels, $1.name) > ($1.pixels, $0.name) }
  }

  /// What the files' names begin with, and in a part of a folder end with before the dot.
  package static let stem = "predictions"

  /// Writes `predictions.json` and `predictions.csv` into a folder; those of a part have its number in their
  /// names.
  ///
  /// - Returns: The files.
  /// - Throws: `WriteError`.
  public func write(to folder: String) throws -> [String] {
    let stem = "\(folder)/\(Self.stem)\(shard?.suffix ?? "")"
    try AtomicFile.write("\(stem).json", Data(json().utf8))
    try AtomicFile.write("\(stem).csv", Data(csv.utf8))
    return ["\(stem).json", "\(stem).csv"]
  }

  /// The summary as JSON with a line for each image.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func text(_ value: some Encodable) throws -> String {
      String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    func list(_ values: [some Encodable]) throws -> String {
      values.isEmpty ? "[]" : "[\n\(try values.map(text).joined(separator: ",\n"))\n]"
    }
    var parts = ["\"networks\": \(try text(networks))", "\"settings\": \(try text(settings))"]
    if let shard { parts.append("\"shard\": \(try text(shard))") }
    parts.append("\"images\": \(try list(images))")
    parts.append("\"failed\": \(try list(failed))")
    parts.append("\"total\": \(try list(total))")
    return "{\n\(parts.joined(separator: ",\n"))\n}\n"
  }

  /// A row for each image and class that occurs in it (RFC 4180).
  var csv: String {
    func cell(_ text: String) -> String {
      text.contains { $0 == "," || $0 == "\"" || $0.isNewline }
        ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
    }
    func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    var text = "file,width,height,class,pixels,share,confidence,square_metres\n"
    for image in images {
      for area in image.classes {
        text +=
          "\(cell(image.file)),\(image.width),\(image.height),\(cell(area.name)),\(area.pixels),"
          + "\(area.share),\(number(area.confidence)),\(number(area.squareMetres))\n"
      }
    }
    return text
  }

  /// Joins the summaries of a folder's parts and writes `predictions.json` and `predictions.csv`.
  ///
  /// - Returns: The summary, the parts that are missing, and the files written.
  /// - Throws: ``SummaryError``, `WriteError`.
  public static func joined(
    in folder: String
  ) throws -> (summary: PredictionSummary, missing: [Int], count: Int, written: [String]) {
    guard let names = FileSystem.names(in: folder) else {
      throw SummaryError.unreadable(file: folder, reason: "expected a folder that can be read")
    }
    let found = names.compactMap { name -> (name: String, shard: Shard)? in
      guard name.hasPrefix("\(stem)-"), name.hasSuffix(".json") else { return nil }
      let parts = name.dropFirst(stem.count + 1).dropLast(5).split(separator: "-")
      guard parts.count == 3, parts[1] == "of", let index = Int(parts[0]),
        let count = Int(parts[2]), let shard = Shard(index, of: count)
      else { return nil }
      return (name, shard)
    }
    guard let first = found.first else {
      throw SummaryError.unreadable(
        file: folder, reason: "holds no \(stem)-K-of-N.json, expected what --shard wrote")
    }
    if let other = found.first(where: { $0.shard.count != first.shard.count }) {
      throw SummaryError.different(
        file: "\(folder)/\(other.name)", first: "\(folder)/\(first.name)",
        what: "is a part of \(other.shard.count), not of \(first.shard.count)")
    }
    var parts: [PredictionSummary] = []
    for (name, shard) in found {
      let path = "\(folder)/\(name)"
      guard let data = FileSystem.contents(path) else {
        throw SummaryError.unreadable(file: path, reason: "cannot be read")
      }
      let part: PredictionSummary
      do { part = try JSONDecoder().decode(PredictionSummary.self, from: data) } catch {
        throw SummaryError.unreadable(file: path, reason: "is no summary of predictions")
      }
      guard part.shard == shard else {
        throw SummaryError.unreadable(
          file: path, reason: "tells of another part than its name, expected \(shard.suffix)")
      }
      if let before = parts.first, part.settings != before.settings {
        throw SummaryError.different(
          file: path, first: "\(folder)/\(found[0].name)",
          what: "was made by other networks or with other settings")
      }
      parts.append(part)
    }
    let summary = PredictionSummary(
      networks: parts[0].networks, settings: parts[0].settings, shard: nil,
      images: parts.flatMap(\.images), failed: parts.flatMap(\.failed))
    let there = Set(found.map(\.shard.index))
    let missing = (1...first.shard.count).filter { !there.contains($0) }
    return (summary, missing, first.shard.count, try summary.write(to: folder))
  }
}

/// Why summaries of a folder's parts cannot be joined.
public enum SummaryError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A file cannot be used.
  case unreadable(file: String, reason: String)
  /// Two parts do not belong together.
  case different(file: String, first: String, what: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): \(reason)"
    case .different(let file, let first, let what):
      "\(file): \(what), as \(first) was; expected parts of one prediction, so remove those of another"
    }
  }
}
