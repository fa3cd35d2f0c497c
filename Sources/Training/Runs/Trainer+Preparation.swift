import Configuration
import Datasets
import Imaging
import Segmentation
import Torch

extension Trainer {
  /// The iterations of the whole run.
  static func steps(_ settings: TrainingSettings, _ loader: Loader) throws -> Int {
    let perEpoch = loader.steps / settings.accumulation
    guard perEpoch > 0 else {
      throw ConfigurationError.invalid(
        place: settings.place, key: "accumulate", value: "\(settings.accumulation)",
        expected: "at most \(loader.steps), the batches of an epoch")
    }
    return switch settings.length {
    case .iterations(let count): count
    case .epochs(let count): count * perEpoch
    case .minutes: longest
    }
  }

  /// Sets threads, random numbers and what else is the process's.
  static func prepareEngine(_ settings: TrainingSettings, goingOnFrom run: RunState?) {
    if settings.threads > 0 {
      Engine.threads = settings.threads
    } else if settings.deterministic, let run {
      // Sums over another number of threads have other last bits.
      Engine.threads = run.threads
    }
    Engine.setFlushDenormal(true)
    Engine.setDeterministic(settings.deterministic)
    Engine.seed(settings.seed)
  }

  /// Where features of a frozen backbone are kept, if they can be and are wanted.
  static func featureCache(
    _ settings: TrainingSettings, _ folder: RunFolder, _ model: SegmentationModel,
    _ loader: Loader, _ device: Device, _ monitor: any TrainingMonitor, isShared: Bool
  ) throws -> FeatureCache? {
    let freeze = settings.freeze
    if let obstacle = freeze.obstacle(model, loader.pipeline) {
      if freeze.caches == true {
        throw ConfigurationError.invalid(
          place: settings.place, key: "featureCache", value: "on",
          expected: "false, as \(obstacle)")
      }
      if freeze.backbone && freeze.caches == nil {
        monitor.message("features are not kept, as \(obstacle)")
      }
      return nil
    }
    let cache = try FeatureCache(
      // Processes would write the same files.
      in: freeze.caches == false || isShared ? nil : freeze.folder ?? folder.file("features"),
      limit: freeze.limit, of: model, for: loader, precision: settings.precision
    ) { image in autocast(to: settings.precision, on: device) { model.maps(image) } }
    if let path = cache.folder {
      monitor.message("features of the frozen backbone are kept in \(path)")
    }
    return cache
  }

  /// The loss with class weights, counted in the loader's labels where the settings say so.
  static func loss(_ settings: TrainingSettings, _ loader: Loader) throws -> Loss {
    var loss = settings.loss
    let dataset = loader.dataset
    func histogram() throws -> ClassHistogram {
      try loader.occurrence?.histogram ?? ClassHistogram(of: dataset)
    }
    switch settings.classWeights {
    case .none: break
    case .given(let weights):
      guard weights.count == dataset.labelMap.count else {
        throw ConfigurationError.invalid(
          place: "\(settings.place).loss", key: "classWeights", value: "\(weights.count) numbers",
          expected: "\(dataset.labelMap.count), one for each class")
      }
      loss.classWeights = weights
    case .inverseFrequency: loss.classWeights = try histogram().inverseFrequencyWeights
    case .sqrtInverseFrequency:
      let roots = try histogram().inverseFrequencyWeights.map { $0.squareRoot() }
      let present = roots.filter { $0 > 0 }
      let mean = present.reduce(0, +) / Double(max(present.count, 1))
      loss.classWeights = roots.map { $0 / max(mean, .leastNormalMagnitude) }
    case .medianFrequency: loss.classWeights = try histogram().medianFrequencyWeights
    }
    return loss
  }

  /// Refuses crops that the images cannot fill, and batches of images of different sizes.
  static func checkSizes(_ loader: Loader) throws {
    let first = try loader.dataset.load(0)
    let file = first.imagePath.isEmpty ? first.name : first.imagePath
    var largest = first.image.size
    var open: Size?
    for transform in loader.pipeline.transforms {
      switch transform {
      case .resize(let size, _): largest = size
      case .randomResize(let ratio, let box, _):
        let base = box ?? largest
        largest = Size(
          width: Int(Double(base.width) * ratio.upperBound),
          height: Int(Double(base.height) * ratio.upperBound))
      case .randomCrop(let size, _):
        if size.width > largest.width || size.height > largest.height { open = size }
      case .pad(let size, _):
        if let crop = open, size.width >= crop.width, size.height >= crop.height { open = nil }
        largest = Size(
          width: max(largest.width, size.width), height: max(largest.height, size.height))
      default: break
      }
    }
    if let open {
      throw RunError.cropTooLarge(
        crop: "\(open.width)x\(open.height)", image: file,
        size: "\(largest.width)x\(largest.height)")
    }
    guard loader.batchSize > 1 else { return }
    let sizes = try (0..<4).map { try loader.sample(0, epoch: $0).image.size }
    if let odd = sizes.first(where: { $0 != sizes[0] }) {
      throw DatasetError.unevenBatch(file: file, size: sizes[0], other: file, otherSize: odd)
    }
  }
}
