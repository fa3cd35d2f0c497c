import Evaluation
import Datasets
import Foundation
import Imaging
import Segmentation
import Torch

/// What the features of an image are compared with.
public enum SimilarityReference: Sendable, Equatable {
  /// The features at a pixel of the image.
  case pixel(x: Int, y: Int)
  /// The mean of the features of all positions of a class, by its place.
  case label(Int)
}

/// Why features cannot be compared.
public enum SimilarityError: Error, CustomStringConvertible {
  /// The pixel is outside of the image.
  case outside(x: Int, y: Int, size: Size, isCut: Bool = false)
  /// No position has the class.
  case absent(label: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .outside(let x, let y, let size, let isCut):
      "--at \(x),\(y): is outside of the image, expected a pixel of \(size.width)x\(size.height)"
        + (isCut ? ", the part that is cut from the middle of each image" : "")
    case .absent(let label):
      "--class \(label): no position has this class; expected one that is in the image"
    }
  }
}

/// The cosine similarity in feature space between every position of an image and one pixel or the
/// mean of a class (Yang et al., 2018).
public struct Similarity: JSONReport {
  /// The image, the layer, and what its features are compared with.
  public let image: String, layer: String, reference: String
  /// The size of the photograph, which the network may see resized, and of the map of features.
  public let width, height, mapWidth, mapHeight: Int
  /// The channels of the features.
  public let channels: Int
  /// The cosines at the map's own resolution, row-major.
  public let cosines: [Float]
  /// The mean cosine within each class and outside of it, as the network sees the classes.
  public let inside: Double?, outside: Double?
  private let photograph: Image
  private let fine: [Float]
  private let mark: (x: Double, y: Double)?

  private enum CodingKeys: String, CodingKey {
    case image, layer, reference, width, height, mapWidth, mapHeight, channels, cosines
    case inside, outside
  }

  /// Compares.
  ///
  /// - Parameters:
  ///   - model: The network.
  ///   - photograph: The image, RGB or with the bands that the network sees.
  ///   - file: What it is called.
  ///   - seen: How it is resized for the network.
  ///   - encoding: How its levels become numbers.
  ///   - reference: The features that all others are compared with.
  ///   - layer: The layer: the beginning of a name in the state dictionary, or `features` for what the
  ///     classifier's last layer sees.
  ///   - truth: The classes of the image's pixels; those that the network finds if nil.
  ///   - names: The names of the classes.
  ///   - device: Where the network runs.
  /// - Throws: ``SimilarityError``, ``LayerError``, `TorchError`.
  public init(
    _ model: SegmentationModel, _ photograph: Image, named file: String,
    seen: SeenScale = .none, encoding: InputEncoding, reference: SimilarityReference,
    layer: String = "features", truth: ClassMask? = nil, names: [String] = [],
    device: Device = .cpu
  ) throws {
    let size = photograph.size
    if case .pixel(let x, let y) = reference,
      !(0..<size.width).contains(x) || !(0..<size.height).contains(y)
    {
      throw SimilarityError.outside(x: x, y: y, size: size)
    }
    let (map, logits) = try model.tapped(
      layer, .input(seen(photograph.rgb).raster, encoding).to(device))
    let found: (cosines: Tensor, fine: Tensor, mask: Tensor?)? = try attempt {
      withoutGradients {
        let features = map.to(.cpu).to(.float32).contiguous()
        let unit = features / (features * features).sum([1], keep: true).sqrt().clamped(1e-12)
        let (rows, columns) = (features.height, features.width)
        // The classes at the features' positions, by the nearest pixel or the resized scores.
        let classes: Tensor
        if let truth {
          let labels = truth.resized(to: Size(width: columns, height: rows))
          classes = Tensor(labels.classes.map(Int64.init), [1, 1, rows, columns])
        } else {
          classes = logits.to(.cpu).to(.float32).resized(height: rows, width: columns).argmax(1)
            .unsqueezed(1)
        }
        let vector: Tensor
        var mask: Tensor?
        switch reference {
        case .pixel(let x, let y):
          vector = unit.selected(3, min(columns - 1, x * columns / size.width))
            .selected(2, min(rows - 1, y * rows / size.height)).reshaped(1, -1, 1, 1)
        case .label(let index):
          let members = classes.equal(to: Double(index)).to(.float32)
          let count = members.sum().item
          guard count > 0 else { return nil }
          let mean = (features * members).sum([2, 3], keep: true) / count
          vector = mean / (mean * mean).sum([1], keep: true).sqrt().clamped(1e-12)
          mask = members
        }
        let cosines = (unit * vector).sum([1], keep: true)
        return (cosines, cosines.resized(height: size.height, width: size.width), mask)
      }
    }
    let name: String
    switch reference {
    case .pixel(let x, let y): name = "pixel \(x),\(y)"
    case .label(let index): name = names.indices.contains(index) ? names[index] : "class \(index)"
    }
    guard let found else { throw SimilarityError.absent(label: name) }
    image = file
    self.layer = layer
    self.reference = name
    (width, height) = (size.width, size.height)
    (mapWidth, mapHeight, channels) = (map.width, map.height, map.size(1))
    cosines = found.cosines.floats
    fine = found.fine.floats
    self.photograph = photograph
    if case .pixel(let x, let y) = reference { mark = (Double(x), Double(y)) } else { mark = nil }
    let (mask, values) = (found.mask?.floats ?? [], cosines)
    func mean(_ wanted: Float) -> Double? {
      let picked = mask.indices.filter { mask[$0] == wanted }
      return picked.isEmpty
        ? nil : picked.reduce(0.0) { $0 + Double(values[$1]) } / Double(picked.count)
    }
    (inside, outside) = (mean(1), mean(0))
  }

  /// The report as text.
  public var text: String {
    var lines = [
      "image            \(image), \(width)x\(height)",
      "features         \(layer): \(channels) channels on \(mapWidth)x\(mapHeight) positions",
      "reference        \(reference)",
      "cosine           \(fixed(Double(cosines.min() ?? 0), 3)) to \(fixed(Double(cosines.max() ?? 0), 3))",
    ]
    if let inside, let outside {
      lines.append(
        "mean cosine      \(fixed(inside, 3)) within the class, \(fixed(outside, 3)) outside of it")
    }
    return lines.joined(separator: "\n")
  }

  /// The cosines over the photograph.
  public var heatMap: HeatMap {
    var map = HeatMap(fine, width: width, height: height)
    map.title = "Cosine similarity to \(reference), \(layer)"
    map.quantity = "cosine"
    map.photograph = photograph
    map.opacity = 0.65
    map.range = min(0, fine.min() ?? 0)...1
    map.colors = .inferno
    map.marks = mark.map { [$0] } ?? []
    return map
  }
}
