import Torch

/// A network in the form in which it runs fastest on the processor, where no gradients are wanted.
///
/// For each size of image the network is recorded once, rewritten by passes, and planned; what is made of its
/// weights serves all sizes. Results differ from the network's own by rounding. Weights must not change from
/// then on.
package final class Runner {
  /// How a network runs.
  package struct Options: Sendable {
    /// The type in which products are multiplied, where that type is faster.
    package var precision = InferencePrecision.float32
    /// What a calibration found, for products of whole numbers; layers without a range do without them.
    package var ranges: InputRanges?
    /// Whether the network's weights stay beside what is packed of them.
    ///
    /// Without them the network takes about
    /// half the memory, and only the runner can run it: a `TorchError` says so where weights are needed.
    package var keepsWeights = false
    /// The names of passes that are left out; see ``Pass/names``.
    package var without: Set<String> = []
    /// The number of sizes whose plans are kept.
    package var mostSizes = 8

    /// The usual form.
    package init(
      precision: InferencePrecision = .float32, ranges: InputRanges? = nil,
      keepsWeights: Bool = false, without: Set<String> = []
    ) {
      (self.precision, self.ranges) = (precision, ranges)
      (self.keepsWeights, self.without) = (keepsWeights, without)
    }
  }

  /// How the network runs.
  package let options: Options
  private let module: Module
  private let body: (Tensor) -> Tensor
  private let store: KernelStore
  private var plans: [(shape: [Int], plan: Plan)] = []
  private var watches: InputWatches?
  /// What looks at the results of operators.
  var seen: InputWatches?

  /// A runner of `body`, which computes something by `module` in evaluation mode.
  package init(_ module: Module, _ options: Options = .init(), _ body: @escaping (Tensor) -> Tensor)
  {
    Plans.loaded
    module.train(false)
    (self.module, self.options, self.body) = (module, options, body)
    store = KernelStore(
      precision: options.precision, ranges: options.ranges,
      releasesWeights: !options.keepsWeights)
  }

  /// What the network gives for `x`, of type float32 on the CPU.
  ///
  /// A network that cannot be recorded, and memory that is too small, are failures of an operator; see
  /// `attempt(_:)`.
  package func callAsFunction(_ x: Tensor) -> Tensor {
    guard let plan = plan(for: x) else { return Tensor(0) }
    return withoutGradients { plan.run([ordered(x, plan)], seeing: seen)[0] }
  }

  /// The median time of each node, in milliseconds, with the way that was chosen for it.
  package func profile(_ x: Tensor, repeats: Int = 1) -> [NodeTime] {
    guard let plan = plan(for: x) else { return [] }
    let rounds = (0..<max(repeats, 1)).map { _ in
      var times: [Double] = []
      var last = ContinuousClock.now
      _ = withoutGradients {
        plan.run([ordered(x, plan)]) { _ in
          let now = ContinuousClock.now
          times.append((now - last) / .milliseconds(1))
          last = now
        }
      }
      return times
    }
    let times = rounds[0].indices.map { node in
      rounds.map { $0[node] }.sorted()[rounds.count / 2]
    }
    return zip(plan.ways, times).map { way, time in
      let inputs = way.node.inputs.prefix { !$0.name.contains(".") && $0.name != "weight" }
      return NodeTime(
        layer: way.node.layer, kind: way.node.kind, way: way.way,
        shapes: inputs.map { plan.graph.values[$0.value].shape },
        result: way.node.outputs.first.map { plan.graph.values[$0].shape } ?? [],
        milliseconds: time)
    }
  }

  /// The ranges of what layers take while `body` runs images through this runner.
  ///
  /// - Parameters:
  ///   - method: How a range follows from numbers.
  ///   - image: Between what numbers those of images may lie.
  package static func calibrated(
    _ module: Module, by method: InputRanges.Method = .percentile,
    image: ClosedRange<Float>? = nil, _ network: @escaping (Tensor) -> Tensor,
    _ body: (Runner) throws -> Void
  ) rethrows -> InputRanges {
    try Runner(module, Options(keepsWeights: true), network).watched(method, image: image, body)
  }

  /// The ranges of what layers take while `body` runs images through this runner, which has run none before.
  func watched(
    _ method: InputRanges.Method, image: ClosedRange<Float>? = nil,
    _ body: (Runner) throws -> Void
  ) rethrows -> InputRanges {
    let watches = InputWatches(method, image: image)
    self.watches = watches
    try body(self)
    return watches.ranges
  }

  /// The image with its numbers in the order in which the network reads them fastest.
  private func ordered(_ x: Tensor, _ plan: Plan) -> Tensor {
    x.rank == 4 && !plan.readsPlanes ? x.contiguous(.channelsLast) : x
  }

  /// The plan for images of the shape of `x`; nil after a failure.
  private func plan(for x: Tensor) -> Plan? {
    if let index = plans.firstIndex(where: { $0.shape == x.shape }) {
      // The newest are last.
      plans.append(plans.remove(at: index))
      return plans.last?.plan
    }
    do {
      // Who looks on sees the network run, and not how it is made ready.
      let plan = try unobserved { try made(for: x) }
      Engine.giveBackCode()
      plans.append((x.shape, plan))
      if plans.count > options.mostSizes { plans.removeFirst() }
      return plan
    } catch {
      reportFailure("run a network", error)
      return nil
    }
  }
}

extension Runner {
  /// A plan for images of the shape of `x`.
  private func made(for x: Tensor) throws -> Plan {
    let recorded = try Graph(recording: module, input: x.shape, x.dtype, body)
    try recorded.checkChannels()
    return try store.transaction {
      try attempt {
        withoutGradients {
          let graph = store.sharing(recorded).optimized(
            without: options.without,
            Pass.Settings(precision: options.precision, isWatched: watches != nil))
          return Plan(graph, store, without: options.without, watch: watches)
        }
      }
    }
  }
}

extension Graph {
  /// Refuses maps of other channels than weights are for, which shapes alone do not tell.
  ///
  /// - Throws: ``GraphError/channels(kind:layer:found:expected:)``.
  fileprivate func checkChannels() throws {
    for node in nodes {
      guard let weight = node.input("weight").map({ values[$0].shape }), weight.count > 1,
        let input = node.inputs.first.map({ values[$0.value].shape })
      else { continue }
      let (found, expected): (Int?, Int) =
        switch node.kind {
        case "conv2d": (input.dropLast(2).last, weight[1] * node.int("groups"))
        case "conv_transpose2d": (input.dropLast(2).last, weight[0])
        case "linear": (input.last, weight[1])
        default: (0, 0)
        }
      guard found == expected else {
        throw GraphError.channels(
          kind: node.kind, layer: node.layer, found: found ?? 0, expected: expected)
      }
    }
  }
}

/// The time of a node of a graph.
package struct NodeTime: Sendable, Encodable {
  /// The module whose parameters it uses, or the last one before it.
  package let layer: String
  /// The operator, and the way that was chosen for it.
  package let kind, way: String
  /// The shapes of what goes in, and of what comes out.
  package let shapes: [[Int]], result: [Int]
  /// The time.
  package let milliseconds: Double
}
