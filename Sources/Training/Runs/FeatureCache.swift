import Checkpoints
import Datasets
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// The features of a frozen backbone, computed once for each image and kept on disk.
///
/// Files stand in a folder named after everything that features depend on besides the image: weights,
/// normalization, transforms, the type that is computed in. A file's name says which image it is of,
/// by path, size and time of change.
final class FeatureCache {
  /// Where the files stand; nil if features are computed each time, image by image all the same, so
  /// that the cache changes no bit of a run.
  let folder: String?
  private let model: SegmentationModel
  private let dataset: any Dataset
  private let compute: (Tensor) -> [Tensor]
  private let limit: Int
  private var bytes = 0
  private var isOpen: Bool
  /// Which maps the heads look at; the others are kept by their shapes.
  private var used: [Bool]?
  /// How many images were found on disk, and how many had to be computed.
  private(set) var found = 0, computed = 0

  /// A cache below `folder`, if there is one, for the maps that `compute` makes of images
  /// (1, 3, H, W).
  ///
  /// - Throws: `FolderError`.
  init(
    in folder: String?, limit: Int, of model: SegmentationModel, for loader: Loader,
    precision: DType?, compute: @escaping (Tensor) -> [Tensor]
  ) throws {
    (self.model, dataset, self.limit, self.compute) = (model, loader.dataset, limit, compute)
    isOpen = folder != nil
    guard let folder else {
      self.folder = nil
      return
    }
    let path = "\(folder)/\(Self.key(model, loader, precision))"
    try FileSystem.makeOutputFolder(path)
    let names = FileSystem.names(in: path) ?? []
    bytes = names.reduce(0) { $0 + Self.size(of: "\(path)/\($1)") }
    self.folder = path
  }

  /// Everything that features depend on besides the image, as a name.
  private static func key(
    _ model: SegmentationModel, _ loader: Loader, _ precision: DType?
  ) -> String {
    var key = RunningFingerprint()
    for entry in model.backbone.state {
      key.add(entry.name)
      key.add(entry.tensor)
    }
    key.add("\(loader.pipeline.transforms)")
    if loader.pipeline.imageRule != .own { key.add(loader.pipeline.imageRule.rawValue) }
    key.add("orientation \(loader.dataset.orientation)")
    if let plan = loader.dataset.bandPlan { key.add("\(plan)") }
    key.add("\(loader.encoding.mean) \(loader.encoding.deviation)")
    key.add("\(precision.map { "\($0)" } ?? "float32") \(Engine.version) \(Engine.cpuCapability)")
    return key.text
  }

  /// The maps of a batch, whose images are `images` (N, 3, H, W).
  ///
  /// - Throws: `WeightFileError` for a file that is damaged.
  func maps(_ batch: Batch, _ images: Tensor) throws -> [Tensor] {
    let parts = try batch.indices.enumerated().map { place, index in
      try maps(of: index, images.sliced(0, place, place + 1))
    }
    guard let first = parts.first, parts.count > 1 else { return parts.first ?? [] }
    return first.indices.map { level in concatenate(parts.map { $0[level] }, along: 0) }
  }

  private func maps(of index: Int, _ image: Tensor) throws -> [Tensor] {
    let path = folder.map { "\($0)/\(name(of: index)).safetensors" }
    if let path, FileSystem.exists(path) {
      found += 1
      return try read(path, on: image.device)
    }
    computed += 1
    let maps = withoutGradients { compute(image) }.map { $0.contiguous(.channelsLast) }
    let used = self.used ?? mapsInUse(maps, image)
    self.used = used
    let kept = zip(maps, used).map { map, isUsed in isUsed ? map : Self.placeholder(like: map) }
    if let path { keep(kept, used, path) }
    return kept
  }

  /// What stands for a map that no head reads: its shape, without memory.
  private static func placeholder(like map: Tensor) -> Tensor {
    Tensor(0).to(map.device).to(map.dtype).expanded(map.shape)
  }

  /// Which maps the heads' scores depend on.
  private func mapsInUse(_ maps: [Tensor], _ image: Tensor) -> [Bool] {
    withPreservedRandomState {
      let wasTraining = model.isTraining
      model.train(false)
      defer { model.train(wasTraining) }
      let leaves = maps.map { map in
        let leaf = map.to(.float32).cloned().detached()
        leaf.requiresGrad = true
        return leaf
      }
      // What earlier batches of the step have added up stays out of it.
      let before = model.parameters.map(\.parameter.gradient)
      for entry in model.parameters { entry.parameter.gradient = nil }
      withGradients {
        let output = model.trainingOutput(leaves, image)
        let all = [output.logits] + output.auxiliary + output.helpers.map(\.scores)
        all.map { $0.to(.float32).sum() }.reduce(Tensor(0).to(image.device)) { $0 + $1 }.backward()
      }
      for (entry, gradient) in zip(model.parameters, before) {
        entry.parameter.gradient = gradient
      }
      return leaves.map { $0.gradient != nil }
    }
  }

  private func keep(_ maps: [Tensor], _ used: [Bool], _ path: String) {
    let size = zip(maps, used).reduce(0) { $0 + ($1.1 ? $1.0.count * $1.0.dtype.byteCount : 0) }
    guard isOpen, bytes + size <= limit else { return }
    let shapes = maps.map { $0.shape.map(String.init).joined(separator: "x") }
    do {
      try WeightFile.write(
        zip(maps, used).enumerated().filter(\.element.1).map { ("\($0.offset)", $0.element.0) },
        metadata: ["shapes": shapes.joined(separator: ",")], to: path)
      bytes += size
    } catch {
      // A disk that is full costs time, not the run.
      isOpen = false
    }
  }

  private func read(_ path: String, on device: Device) throws -> [Tensor] {
    let file = try WeightFile.open(path)
    let shapes = (file.metadata["shapes"] ?? "").split(separator: ",").map {
      $0.split(separator: "x").compactMap { Int($0) }
    }
    let dtype = file.entries.first?.dtype ?? .float32
    return try shapes.enumerated().map { level, shape in
      guard file.entry("\(level)") != nil else {
        return Tensor(0).to(device).to(dtype).expanded(shape)
      }
      return try file.tensor("\(level)").to(device).contiguous(.channelsLast)
    }
  }

  private func name(of index: Int) -> String {
    let item = dataset.item(index)
    var key = RunningFingerprint()
    key.add(item.name)
    key.add(item.imagePath)
    if let status = FileSystem.status(item.imagePath) {
      #if canImport(Darwin)
        let time = status.st_mtimespec
      #else
        let time = status.st_mtim
      #endif
      key.add("\(status.st_size) \(time.tv_sec) \(time.tv_nsec)")
    }
    return key.text
  }

  private static func size(of path: String) -> Int {
    FileSystem.status(path).map { Int($0.st_size) } ?? 0
  }
}

extension RunningFingerprint {
  mutating func add(_ tensor: Tensor) {
    add("\(tensor.dtype) \(tensor.shape)")
    var bytes = [UInt64](repeating: 0, count: (tensor.count * tensor.dtype.byteCount + 7) / 8)
    bytes.withUnsafeMutableBytes { buffer in
      tensor.detached().read(
        into: UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<(tensor.count * tensor.dtype.byteCount)]))
    }
    for word in bytes { add(word) }
  }
}
