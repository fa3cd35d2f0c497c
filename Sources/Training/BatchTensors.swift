import Datasets
import Torch

extension Batch {
  /// The normalised images as the network takes them: (N, bands, H, W) over the batch's own memory,
  /// which lies channels last.
  func images(on device: Device) -> Tensor {
    let owner = Owner(self)
    return withImages { pixels in
      guard let start = pixels.baseAddress else { return Tensor(uninitialized: [0, bands, 0, 0]) }
      return Tensor(
        sharing: UnsafeMutableRawPointer(mutating: start), [count, height, width, bands], .float32,
        owner: owner
      ).permuted(0, 3, 1, 2)
    }.to(device)
  }

  /// The classes (N, H, W) as 64-bit integers, which the losses take.
  func target(on device: Device) -> Tensor {
    withMasks { classes in
      Tensor(bytes: UnsafeRawBufferPointer(classes), [count, height, width], .uint8)
    }.to(device).to(.int64)
  }
}

/// Keeps a batch's memory while a tensor uses it.
private final class Owner {
  private let batch: Batch
  init(_ batch: Batch) { self.batch = batch }
}
