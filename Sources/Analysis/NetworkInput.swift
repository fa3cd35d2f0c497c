import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Torch

/// The part of a picture that a network sees, of exactly some size.
///
/// It lies around the picture's middle, or a pixel as far as the picture reaches. A picture that is too small is
/// enlarged first.
package struct PictureCut {
  /// The size of the picture, enlarged if need be.
  private let whole: Size
  /// The first column and row of the cut, in pixels of the picture, enlarged if need be.
  package let x, y: Int
  private let size: Size
  /// The pixel of the cut that is nearest to the given pixel of the picture; the middle without one.
  package let target: (x: Int, y: Int)

  /// The cut of a picture of `picture` around `pixel`, or its middle.
  package init(_ picture: Size, to size: Size, around pixel: (x: Int, y: Int)? = nil) {
    let (width, height) = (Double(picture.width), Double(picture.height))
    let scale = max(1, Double(size.width) / width, Double(size.height) / height)
    whole =
      scale > 1
      ? Size(
        width: max(size.width, Int((width * scale).rounded())),
        height: max(size.height, Int((height * scale).rounded()))) : picture
    self.size = size
    let spare = (x: whole.width - size.width, y: whole.height - size.height)
    guard let pixel else {
      (x, y) = (spare.x / 2, spare.y / 2)
      target = (size.width / 2, size.height / 2)
      return
    }
    let place = (
      x: pixel.x * whole.width / picture.width, y: pixel.y * whole.height / picture.height
    )
    x = min(max(place.x - size.width / 2, 0), spare.x)
    y = min(max(place.y - size.height / 2, 0), spare.y)
    target = (place.x - x, place.y - y)
  }

  func callAsFunction(_ image: Image) -> Image {
    (whole == image.size ? image : image.resized(to: whole)).cropped(x: x, y: y, size: size)
  }
}

extension Image {
  /// The middle of the picture at exactly this size; a picture that is too small is enlarged first.
  func middle(_ target: Size) -> Image { PictureCut(size, to: target)(self) }
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

  /// Image files, from their parts of the size asked for around a pixel, or around their middles; `plan` says
  /// which bands are seen.
  public init(
    _ files: [String], around pixel: (x: Int, y: Int)? = nil, plan: BandPlan? = nil,
    encoding: InputEncoding, device: Device = .cpu
  ) {
    name =
      files.count == 1 ? files[0].fileName : "\(files.count) images"
    count = files.count
    let cut = { (index: Int, size: Size) in
      let image =
        try plan.map { try Image(contentsOf: files[index], plan: $0) }
        ?? Image(contentsOf: files[index]).rgb
      return PictureCut(image.size, to: size, around: pixel)(image)
    }
    make = { .input(try cut($0, $1).raster, encoding).to(device) }
    show = cut
  }

  /// One image that is in memory, from its part of the size asked for around a pixel, or around its middle.
  package init(
    _ image: Image, named name: String, around pixel: (x: Int, y: Int)? = nil,
    encoding: InputEncoding, device: Device = .cpu
  ) {
    self.name = name
    count = 1
    let cut = { (size: Size) in PictureCut(image.size, to: size, around: pixel)(image) }
    make = { .input(cut($1).raster, encoding).to(device) }
    show = { cut($1) }
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
