import Testing
import Torch

@Suite("The engine's door")
struct EngineTests {
  @Test("a failed operator becomes an error that names it and the shapes it was given")
  func errors() {
    let error = #expect(throws: TorchError.self) {
      try attempt {
        let x = Tensor(filledWith: 1, [1, 3, 8, 8])
        let y = x.conv2d(Tensor(filledWith: 1, [64, 4, 7, 7]))
        // What follows a failure does not trap.
        let z = (y + y).relu()
        _ = z.reshaped(z.size(0), -1).floats
      }
    }
    let message = error?.description ?? ""
    #expect(message.contains("conv2d"))
    #expect(message.contains("[1, 3, 8, 8]"))
    #expect(message.contains("[64, 4, 7, 7]"))
  }

  @Test("after an error the next attempt starts afresh, and inner attempts keep theirs")
  func scopes() throws {
    let x = Tensor(filledWith: 1, [2, 3])
    try attempt {
      #expect(throws: TorchError.self) { try attempt { _ = x.matmul(x) } }
      #expect(x.sum().item == 6)
    }
  }

  @Test("outside of an attempt a failed operator ends the program")
  func exits() async {
    await #expect(processExitsWith: .failure) {
      let x = Tensor(filledWith: 1, [2, 3])
      _ = x.matmul(x)
    }
  }

  @Test("values survive the way in and out in every type")
  func roundTrips() {
    #expect(Tensor([1, 2, 3] as [Float]).values(Float.self) == [1, 2, 3])
    #expect(Tensor([1, -2, 3] as [Int64], [3, 1]).values(Int64.self) == [1, -2, 3])
    #expect(Tensor([true, false]).values(Bool.self) == [true, false])
    #expect(Tensor([UInt8](0...255)).values(UInt8.self) == [UInt8](0...255))
    #expect(Tensor([1.5, 2.5] as [Float]).to(.bfloat16).floats == [1.5, 2.5])
    #expect(Tensor([Float](), [0, 3]).floats == [])
    #expect(Tensor(7).shape == [])
    #expect(Tensor(7).item == 7)
  }

  @Test(
    "dilated kernels of many groups have the gradients of float32 in bfloat16 too",
    arguments: [72, 144])
  func dilatedGroups(outputs: Int) {
    let conv = Conv2d(72, outputs, kernel: 3, dilation: 4, groups: 72, bias: false)
    conv.useChannelsLast()
    let x = Tensor(uninitialized: [2, 72, 23, 30]).contiguous(.channelsLast)
    x.drawNormal()
    func gradient(_ type: DType?) -> [Float] {
      // What freed memory holds must not matter.
      for _ in 0..<2 { _ = Tensor(filledWith: .nan, [2, 72, 23, 30]) }
      let y = autocast(to: type) { conv(x) }.to(.float32)
      (y * y).sum().backward()
      defer { conv.weight.gradient = nil }
      return conv.weight.gradient?.floats ?? []
    }
    let exact = gradient(nil)
    let largest = exact.map(abs).max() ?? 0
    for _ in 0..<3 {
      let found = gradient(.bfloat16)
      #expect(zip(found, exact).allSatisfy { abs($0 - $1) <= 0.02 * largest })
    }
  }

  @Test("a permuted tensor is read in its own order")
  func order() {
    let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], [2, 3])
    #expect(x.transposed(0, 1).floats == [1, 4, 2, 5, 3, 6])
    #expect(!x.transposed(0, 1).isContiguous())
    #expect(x.size(-1) == 3 && x.size(5) == 0)
  }

  @Test("observers see operators, their arguments and results; gradients are theirs too")
  func observers() {
    final class Names: OperatorObserver {
      var seen: [String] = []
      func observe(_ call: OperatorCall) { seen.append("\(call.name)\(call.results[0].shape)") }
    }
    let names = Names()
    let x = Tensor(filledWith: 1, [1, 2, 4, 4])
    observing(names) { _ = x.relu().mean([2, 3], keep: true) }
    #expect(names.seen == ["relu[1, 2, 4, 4]", "mean[1, 2, 1, 1]"])
  }

  @Test("shared memory is not copied and its owner is kept")
  func sharing() {
    final class Owner {
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: 4)
      nonisolated(unsafe) static var alive = 0
      init() {
        memory.initialize(repeating: 2, count: 4)
        Self.alive += 1
      }
      deinit {
        memory.deallocate()
        Self.alive -= 1
      }
    }
    func make() -> Tensor {
      let owner = Owner()
      let tensor = Tensor(sharing: owner.memory, [4], .float32, owner: owner)
      owner.memory[0] = 5
      return tensor
    }
    var tensor: Tensor? = make()
    #expect(Owner.alive == 1)
    #expect(tensor?.floats == [5, 2, 2, 2])
    tensor = nil
    #expect(Owner.alive == 0)
  }
}

/// Each in a process of its own: other tests draw from the same stream.
@Suite("Random numbers")
struct RandomTests {
  @Test("of a seed are those of PyTorch with the same seed")
  func stream() async {
    await #expect(processExitsWith: .success) {
      // torch.manual_seed(7); torch.empty(5).normal_(); torch.empty(3).uniform_()
      Engine.seed(7)
      let normal = Tensor(uninitialized: [5])
      normal.drawNormal()
      let uniform = Tensor(uninitialized: [3])
      uniform.drawUniform()
      #expect(normal.floats == [-0.1467951, 0.7861413, 0.94682163, -1.114344, 1.6907902])
      #expect(uniform.floats == [0.286839, 0.20631939, 0.44509017])
    }
  }

  @Test("go on from a saved state")
  func state() async {
    await #expect(processExitsWith: .success) {
      Engine.seed(3)
      let state = Engine.randomState
      let first = Tensor(uninitialized: [9])
      first.drawUniform()
      Engine.randomState = state
      let second = Tensor(uninitialized: [9])
      second.drawUniform()
      #expect(first.floats == second.floats)
    }
  }
}
