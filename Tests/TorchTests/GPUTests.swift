import Testing

@testable import Torch

/// What can be known of a GPU's path without a GPU.
@Suite("The path to a GPU", .serialized)
struct GPUTests {
  @Test("where TF32 may be used is set and read back; PyTorch's choice is convolutions only")
  func tf32() {
    let before = Engine.tf32
    defer { Engine.tf32 = before }
    #expect(before == .init(matrices: false, convolutions: true))
    for (matrices, convolutions) in [(true, true), (false, false), (true, false), (false, true)] {
      Engine.tf32 = .init(matrices: matrices, convolutions: convolutions)
      #expect(Engine.tf32 == .init(matrices: matrices, convolutions: convolutions))
    }
  }

  @Test("cuDNN's own timing is off until it is set")
  func benchmark() {
    #expect(!Engine.cudnnBenchmark)
    Engine.cudnnBenchmark = true
    #expect(Engine.cudnnBenchmark)
    Engine.cudnnBenchmark = false
    #expect(!Engine.cudnnBenchmark)
  }

  @Test("the CPU has always done its work")
  func synchronization() throws {
    try attempt { Engine.synchronize(.cpu) }
  }

  @Test("moving between devices keeps channels last")
  func layout() {
    let x = noise([2, 3, 5, 7]).contiguous(.channelsLast)
    let moved = Operator("to", "device")(x, Device.cpu, DType.float32, false, true)
    #expect(moved.isContiguous(.channelsLast) && !moved.isContiguous(.contiguous))
  }

  @Test("nothing is recorded on the CPU")
  func processor() {
    let function = RecordedFunction(on: .cpu) { $0 * 2 }
    for _ in 0..<3 { #expect(function(Tensor([1, 2] as [Float])).floats == [2, 4]) }
    #expect(function.recorded == 0)
  }

  @Test("the second call of a shape is recorded, and later ones do what was recorded")
  func recording() {
    var calls = 0
    let recorder = Rerunning()
    let function = RecordedFunction(recorder: recorder) { x in
      calls += 1
      recorder.write(x, x * 2)
      return recorder.latest
    }
    let found = (0..<4).map { function(Tensor([Float($0), 1])) }
    #expect(calls == 2)
    #expect(function.recorded == 1)
    // What one call gave stays as it is when the memory of the record is written again.
    #expect(found.map { $0.floats } == [[0, 2], [2, 2], [4, 2], [6, 2]])
    #expect(function(Tensor([1, 2, 3] as [Float])).floats == [2, 4, 6])
    #expect(calls == 3)
  }

  @Test("shapes beyond the most are computed as ever")
  func limit() {
    var calls = 0
    let recorder = Rerunning()
    let function = RecordedFunction(recorder: recorder, most: 1) { x in
      calls += 1
      recorder.write(x, x * 2)
      return recorder.latest
    }
    for _ in 0..<3 { #expect(function(Tensor([1] as [Float])).floats == [2]) }
    for _ in 0..<3 { #expect(function(Tensor([1, 1] as [Float])).floats == [2, 2]) }
    #expect(function.recorded == 1)
    #expect(calls == 5)
  }

  @Test("what cannot be recorded is computed as ever, and says why", arguments: [true, false])
  func refusal(atBegin: Bool) {
    struct Refusing: WorkRecorder {
      let atBegin: Bool
      func begin() throws -> any RecordedWork {
        if atBegin { throw TorchError(operation: "record", message: "no") }
        return Work()
      }
      final class Work: RecordedWork {
        func end() throws { throw TorchError(operation: "record", message: "no") }
        func replay() throws {}
      }
    }
    let function = RecordedFunction(recorder: Refusing(atBegin: atBegin)) { $0 + 1 }
    for _ in 0..<3 { #expect(function(Tensor([1] as [Float])).floats == [2]) }
    #expect(function.recorded == 0)
    #expect(function.refusals == [[1]: "record: no"])
  }
}

/// Records the last thing that was written, and does that again: doubles the input.
private final class Rerunning: WorkRecorder {
  private var input = Tensor(0), output = Tensor(0)
  var latest: Tensor { output }

  func write(_ x: Tensor, _ y: Tensor) { (input, output) = (x, y) }

  func begin() throws -> any RecordedWork { Work(self) }

  private final class Work: RecordedWork {
    private let owner: Rerunning
    private var input: Tensor?, output: Tensor?

    init(_ owner: Rerunning) { self.owner = owner }
    func end() throws { (input, output) = (owner.input, owner.output) }
    func replay() throws {
      guard let input, let output else { return }  // may return: before the first recording
      output.assign(input * 2)
    }
  }
}
