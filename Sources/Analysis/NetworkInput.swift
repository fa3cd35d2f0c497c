import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Torch

extension Image {
  /// The middle of the picture at exactly this size; a picture that is too small is enlarged first.
  func middle(_ target: Size) -> Image {
    let scale = max(
      1, Double(target.width) / Double(width), Double(target.height) / Double(height))
    let whole =
      scale > 1
      ? resized(
        to: Size(
          width: max(target.width, Int((Double(width) * scale).rounded())),
          height: max(target.height, Int((Double(height) * scale).rounded())))) : self
    return whole.cropped(
      x: (whole.width - target.width) / 2, y: (whole.height - target.height) / 2, size: target)
  }
}

/// The images that an analysis looks at.
public struct ImageSource {
  /// What messages call them.
  public let name: String
  /// How many there are.
  public let count: Int
  private let make: (_ index: Int, _ size: Size) throws -> Tensor
  private var show: (_ index: Int, _ size: Size) throws -> Image? = { _, _ in nil }

  /// Images of a data set, from its middle parts of the size asked for.
  public init(
    _ dataset: any Dataset, encoding: InputEncoding, device: Device = .cpu
  ) {
    name = "\(dataset.count) images of \(dataset.name)"
    count = dataset.count
    make = { index, size in
      .input(try dataset.load(index).image.middle(size).raster, encoding).to(device)
    }
    show = { try dataset.load($0).image.middle($1) }
  }

  /// Image files.
  public init(_ files: [String], encoding: InputEncoding, device: Device = .cpu) {
    name =
      files.count == 1 ? files[0].fileName : "\(files.count) images"
    count = files.count
    make = { index, size in
      .input(try Image(contentsOf: files[index]).rgb.middle(size).raster, encoding).to(device)
    }
    show = { try Image(contentsOf: files[$0]).rgb.middle($1) }
  }

  /// Normal noise, drawn from libtorch's random numbers.
  public init(noise count: Int, channels: Int = 3, device: Device = .cpu) {
    name = "\(count) images of noise"
    self.count = count
    make = { _, size in
      let x = Tensor(filledWith: 0, [1, channels, size.height, size.width])
      x.drawNormal()
      return x.to(device)
    }
  }

  /// The image at a place as the network takes it, (1, C, H, W) of exactly `size`.
  ///
  /// - Throws: What reading it throws.
  public func input(_ index: Int, size: Size) throws -> Tensor { try make(index, size) }

  /// The image at a place as a person sees it, of exactly `size`; nil for noise.
  ///
  /// - Throws: What reading it throws.
  public func picture(_ index: Int, size: Size) throws -> Image? { try show(index, size) }
}
