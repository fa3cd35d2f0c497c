import Files
import Foundation

/// A network that comes with the package; README.md in the folder Weights is its card.
public enum PackagedWeights {
  /// The checkpoint's file, beside the program or the library, or else in the package's folder.
  ///
  /// - Throws: ``Missing`` if the program was moved without its resources.
  public static func file() throws -> String {
    let name = "camvid.safetensors"
    let places =
      ResourceFolders.all.map { "\($0)/atrous_Weights.resources/\(name)" }
      + [(#filePath as NSString).deletingLastPathComponent + "/\(name)"]
    guard let file = places.first(where: FileManager.default.fileExists) else {
      throw Missing(places: places)
    }
    return file
  }

  /// What the weights may be used for, in a sentence.
  public static let terms =
    "the packaged network was learned from CamVid's photographs, which are for research: its weights are for"
    + " research and teaching, not for products"

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
