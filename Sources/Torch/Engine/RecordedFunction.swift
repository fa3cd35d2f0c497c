import CTorch

/// A function of one tensor whose work for a GPU is recorded once for each shape and given to it as a
/// whole from then on, a CUDA graph: what each operator costs the processor is paid once.
///
/// The first call of a shape computes as ever, so that libtorch chooses algorithms and takes memory; the
/// second one records. A function that cannot be recorded, because it reads a number back or copies from
/// the processor's memory, is computed as ever for good. It must do the same for all inputs of a shape.
public final class RecordedFunction {
  /// Why shapes were not recorded.
  public private(set) var refusals: [[Int]: String] = [:]
  /// The number of shapes that are recorded.
  public var recorded: Int {
    shapes.values.count { if case .recorded = $0 { true } else { false } }
  }

  private enum Shape {
    case seen
    case recorded(Recording)
    case refused
  }

  /// A graph with the memory that it reads and writes.
  private struct Recording {
    let input: Tensor, output: Tensor
    let graph: any RecordedWork
  }

  private let recorder: (any WorkRecorder)?
  private let most: Int
  private let body: (Tensor) -> Tensor
  private var shapes: [[Int]: Shape] = [:]

  /// The function `body`, recorded on `device` for as many as `most` shapes, each of which keeps memory;
  /// never on the CPU nor in builds without CUDA.
  public convenience init(
    on device: Device, most: Int = 4, _ body: @escaping (Tensor) -> Tensor
  ) {
    let isPossible = Engine.hasGraphs && !device.isCPU
    self.init(recorder: isPossible ? CUDARecorder(device: device) : nil, most: most, body)
  }

  init(
    recorder: (any WorkRecorder)?, most: Int = 4, _ body: @escaping (Tensor) -> Tensor
  ) {
    (self.recorder, self.most, self.body) = (recorder, most, body)
  }

  /// The function's value; memory of its own, which later calls leave alone.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard let recorder else { return body(x) }
    switch shapes[x.shape] {
    case nil:
      shapes[x.shape] = .seen
      return body(x)
    case .seen:
      guard recorded < most else { return body(x) }
      do {
        let recording = try record(x, recorder)
        shapes[x.shape] = .recorded(recording)
        return try replayed(recording, x)
      } catch {
        shapes[x.shape] = .refused
        refusals[x.shape] = "\(error)"
        return body(x)
      }
    case .recorded(let recording):
      do {
        return try replayed(recording, x)
      } catch {
        Door.fail("replay", "\(error)")
        return Tensor(adopting: nil)
      }
    case .refused:
      return body(x)
    }
  }

  private func record(_ x: Tensor, _ recorder: any WorkRecorder) throws -> Recording {
    let input = x.cloned()
    let work = try recorder.begin()
    let output = try attempt { body(input) }
    try work.end()
    return Recording(input: input, output: output, graph: work)
  }

  private func replayed(_ recording: Recording, _ x: Tensor) throws -> Tensor {
    try attempt {
      recording.input.assign(x)
      try recording.graph.replay()
      return recording.output.cloned()
    }
  }
}

/// What records the work of a device.
protocol WorkRecorder {
  /// Begins to record what this thread gives the device; nothing is computed meanwhile.
  func begin() throws -> any RecordedWork
}

/// What was recorded; it ends with its last reference.
protocol RecordedWork: AnyObject {
  func end() throws
  /// Does it again, on the same memory.
  func replay() throws
}

/// Records CUDA graphs.
private struct CUDARecorder: WorkRecorder {
  let device: Device

  func begin() throws -> any RecordedWork {
    guard let graph = ct_graph_begin(device.name) else {
      throw TorchError(operation: "record a CUDA graph", message: Door.message)
    }
    return Graph(graph)
  }

  private final class Graph: RecordedWork {
    private let graph: ct_graph

    init(_ graph: ct_graph) { self.graph = graph }
    deinit { ct_graph_free(graph) }

    func end() throws { try check(ct_graph_end(graph), "record a CUDA graph") }
    func replay() throws { try check(ct_graph_replay(graph), "replay a CUDA graph") }

    private func check(_ status: Int32, _ operation: String) throws {
      guard status == 0 else { throw TorchError(operation: operation, message: Door.message) }
    }
  }
}
