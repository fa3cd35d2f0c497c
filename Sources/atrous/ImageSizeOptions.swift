import ArgumentParser
import Imaging
import Inference
import Segmentation

extension Size {
  /// A size as the command line has it, up to 65535 a side: `480x360`.
  init?(text: String) {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map {
      Int($0)
    }
    guard parts.count == 2, let width = parts[0], let height = parts[1],
      (1...65_535).contains(width), (1...65_535).contains(height)
    else { return nil }
    self.init(width: width, height: height)
  }

  /// A size, or a side of a square: `480x360` or `769`.
  init?(sideOrSize text: String) {
    guard let size = Size(text: text) ?? Size(text: "\(text)x\(text)") else { return nil }
    self = size
  }
}

/// The size of the image that a network is looked at with.
struct ImageSizeOptions: ParsableArguments {
  private static let usual = Size(width: 1024, height: 512)

  @Option(
    help: """
      The image's size, WIDTHxHEIGHT. (default: \(usual.width)x\(usual.height), or that of an ONNX file that takes \
      no other)
      """)
  var size: String?

  /// The size, which was found to be one when the command line was read.
  var area: Size { size.flatMap(Size.init(text:)) ?? Self.usual }

  /// The size that a network is looked at with: of an ONNX file that takes one size, that one.
  ///
  /// - Throws: `ONNXError` where another is asked for.
  func area(for model: SegmentationModel) throws -> Size {
    try model.fixedSize(size.flatMap(Size.init(text:))) ?? area
  }

  func validate() throws {
    guard size == nil || size.flatMap(Size.init(text:)) != nil else {
      throw ValidationError("--size is '\(size ?? "")', expected WIDTHxHEIGHT such as 1024x512.")
    }
  }
}
