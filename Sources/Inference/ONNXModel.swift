import Files
import Graphs
import Imaging
import Segmentation
import Torch

/// The network of an ONNX file as a network of ours: normalized images (N, 3, H, W) in, scores out, whatever
/// order and type the file's own input and result have.
package final class ONNXModel: SegmentationModel {
  /// The file's network.
  package let network: ONNXNetwork
  /// The size of images that it takes; nil for any.
  package let size: Size?
  /// Whether it normalizes images itself.
  package let takesLevels: Bool

  /// A network, whose sides and scores are found by running it on shapes.
  ///
  /// - Parameter network: A network that takes one image of three bands and gives scores of each class.
  /// - Throws: `ONNXError` for others.
  package init(_ network: ONNXNetwork) throws {
    let form = try ONNXImageForm(network)
    self.network = network
    (size, takesLevels) = (form.size, form.takesLevels)
    super.init(
      ONNXBackbone(form), ONNXHead(network, form), classes: form.classes,
      alignCorners: false)
    train(false)
  }

  package override var children: [(name: String, module: Module)] { network.named }
}

extension SegmentationModel {
  /// The only size of images that the network of an ONNX file takes; nil for networks that take any.
  ///
  /// - Throws: `ONNXError` where another is asked for.
  package final func fixedSize(_ asked: Size?) throws -> Size? {
    guard let onnx = self as? ONNXModel, let size = onnx.size else { return nil }
    if let asked, asked != size {
      throw ONNXError.input(
        file: onnx.network.file, found: "the size \(asked.width)x\(asked.height)",
        expected: "\(size.width)x\(size.height), the only one that it takes")
    }
    return size
  }
}

/// What stands for the backbone: it hands the image on, and knows which sides the network can take.
final class ONNXBackbone: Layer, Backbone {
  let channels = [3]
  let strides: [Int]
  let minimumSide: Int
  let sideMultiple: Int
  let oddSides: String?

  init(_ form: ONNXImageForm) {
    strides = [form.stride]
    sideMultiple = form.size == nil ? form.multiple : 1
    // Memory is measured on images of twice this side, which are to be about as large as a fixed one.
    minimumSide = form.size.map { max(1, min($0.width, $0.height) / 2) } ?? form.least
    oddSides =
      form.size.map {
        "seen by windows of \($0.width)×\($0.height), which have a quarter in common at least;"
          + " smaller sides extended by zeros at right and bottom"
      }
      ?? (form.least > 1
        ? "extended to \(form.least > form.multiple ? "\(form.least) and " : "")multiples of \(form.multiple) by zeros at"
          + " right and bottom" : nil)
  }

  func features(_ x: Tensor) -> [Tensor] { [x] }

  var stages: [[Module]] { [] }

  func depths(by unit: DepthUnit) -> [[Module]] { [] }

  override func forward(_ x: Tensor) -> Tensor { x }
}

/// What stands for the head: the whole network.
final class ONNXHead: Layer, SegmentationHead {
  private let network: ONNXNetwork
  private let form: ONNXImageForm

  init(_ network: ONNXNetwork, _ form: ONNXImageForm) {
    (self.network, self.form) = (network, form)
  }

  override var children: [(name: String, module: Module)] { [] }

  func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard let size = form.size, size.width != image.width || size.height != image.height else {
      return form.scores(of: network(form.input(image)))
    }
    return windows(image, size)
  }

  /// The scores of an image that the network does not take whole, at the image's size.
  ///
  /// Windows are laid evenly; what two of them see is taken from either up to the middle.
  private func windows(_ image: Tensor, _ size: Size) -> Tensor {
    let whole = image.padded([
      0, max(0, size.width - image.width), 0, max(0, size.height - image.height),
    ])
    let rows = Self.cuts(whole.height, size.height), columns = Self.cuts(whole.width, size.width)
    let lines = rows.map { row in
      concatenate(
        columns.map { column in
          let part = whole.sliced(2, row.start, row.start + size.height)
            .sliced(3, column.start, column.start + size.width)
          let found = form.scores(of: network(form.input(part)))
            .resized(height: size.height, width: size.width)
          return found.sliced(2, row.from - row.start, row.to - row.start)
            .sliced(3, column.from - column.start, column.to - column.start)
        }, along: 3)
    }
    return concatenate(lines, along: 2).sliced(2, 0, image.height).sliced(3, 0, image.width)
  }

  /// Where windows of `side` begin, and from where to where each is taken.
  private static func cuts(_ length: Int, _ side: Int) -> [(start: Int, from: Int, to: Int)] {
    let room = max(1, side - side / 4)
    let count = length <= side ? 1 : (length - side + room - 1) / room + 1
    let starts = (0..<count).map { count == 1 ? 0 : (length - side) * $0 / (count - 1) }
    return starts.indices.map { index in
      let from = index == 0 ? 0 : (starts[index] + starts[index - 1] + side) / 2
      let to = index == count - 1 ? length : (starts[index] + side + starts[index + 1]) / 2
      return (starts[index], from, to)
    }
  }

  override func forward(_ x: Tensor) -> Tensor { scores([x], image: x) }
}
