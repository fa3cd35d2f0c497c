import Files
import Foundation

/// A network that comes with the package; README.md in the folder Weights has a card of each.
public enum PackagedNetwork: String, CaseIterable, Sendable {
  /// Eleven classes of street scenes: DeepLabV3+ on EfficientNet-Lite2, learned from CamVid.
  case streets
  /// The vessels of eye backgrounds: a U-Net with a dilated bottom, learned from HRF and CHASE_DB1.
  case vessels

  /// What it finds, in a few words.
  public var summary: String {
    switch self {
    case .streets: "eleven classes of street scenes"
    case .vessels: "vessels in photographs of the eye's background"
    }
  }

  /// What it was learned from and its licence, in a few words.
  public var origin: String {
    switch self {
    case .streets: "CamVid; for research and teaching"
    case .vessels: "HRF and CHASE_DB1, CC BY 4.0; free for any use"
    }
  }

  /// What must be known before the weights are used, in a sentence; nil where any use is free.
  public var terms: String? {
    switch self {
    case .streets:
      "the packaged network was learned from CamVid's photographs, which are for research: its weights are for"
        + " research and teaching, not for products"
    case .vessels: nil
    }
  }

  private var name: String {
    switch self {
    case .streets: "camvid.safetensors"
    case .vessels: "vessels.safetensors"
    }
  }

  /// The checkpoint's file, beside the program or the library, or else in the package's folder.
  ///
  /// What `Scripts/shipped` builds does not look there, so that it works anywhere or nowhere.
  ///
  /// - Throws: ``Missing`` if the program was moved without its resources.
  public func file() throws -> String {
    var places = ResourceFolders.all.map { "\($0)/atrous_Weights.resources/\(name)" }
    #if !ATROUS_SHIPPED
      places.append((#filePath as NSString).deletingLastPathComponent + "/\(name)")
    #endif
    guard let file = places.first(where: FileManager.default.fileExists) else {
      throw Missing(places: places)
    }
    return file
  }

  /// The packaged weights are not where they should be.
  public struct Missing: Error, CustomStringConvertible {
    /// Where they were looked for.
    public let places: [String]

    /// The message for a person.
    public var description: String {
      "the network that comes with the package is missing; expected \(places.joined(separator: " or ")),"
        + " or the name of a checkpoint"
    }
  }
}
