import Foundation
import Synchronization
import Testing
import Torch

/// Processes of a group, played by threads of this one, which meet at a port of this machine.
private func inRanks<R: Sendable>(
  _ size: Int, timeout: Double = 30, _ body: @Sendable @escaping (ProcessGroup) throws -> R
) throws -> [R] {
  let meeting = try #require(ProcessGroup.Meeting.onThisMachine())
  let results = Mutex([Int: Result<R, any Error>]())
  let all = DispatchGroup()
  for rank in 0..<size {
    all.enter()
    let thread = Thread {
      let result = Result {
        let group = try ProcessGroup(rank: rank, size: size, at: meeting, timeout: timeout)
        return try attempt { try body(group) }
      }
      results.withLock { $0[rank] = result }
      all.leave()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }
  all.wait()
  return try results.withLock { results in
    try (0..<size).map { try #require(results[$0]).get() }
  }
}

/// Numbers from -1 to 1 that follow from `seed`.
private func noise(_ shape: [Int], _ seed: Int) -> Tensor {
  let count = shape.reduce(1, *)
  return Tensor((0..<count).map { Float(sin(Double($0 * 37 + seed * 101) * 1.7)) }, shape)
}

/// The largest difference of two tensors' elements.
private func distance(_ a: [Float], _ b: [Float]) -> Float {
  a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}

@Suite("Several processes")
struct DistributedTests {
  @Test("sums, largest values, broadcasts and gathered tensors are those of all ranks")
  func collectives() throws {
    let results = try inRanks(2) { group in
      let own = Tensor([Float(group.rank + 1), -1])
      group.allReduce(own)
      let (a, b) = (Tensor([Float(group.rank)]), Tensor([Int64(group.rank + 5)]))
      group.broadcast([a, b], from: 1)
      // Laid out differently in each rank, as weights may be.
      let image = noise([1, 2, 2, 3], group.rank).contiguous(
        group.rank == 0 ? .channelsLast : .contiguous)
      group.broadcast([image], from: 0)
      group.barrier()
      return (
        own.floats, group.allReduce([Double(group.rank), 3], .largest),
        group.allReduce([Int64(1) << 60, 1]), a.item + b.item, image.floats,
        group.allGather(Tensor([Float(group.rank)])).map(\.item)
      )
    }
    for result in results {
      #expect(result.0 == [3, -2])
      #expect(result.1 == [1, 3])
      #expect(result.2 == [1 << 61, 2])
      #expect(result.3 == 7)
      #expect(result.4 == noise([1, 2, 2, 3], 0).floats)
      #expect(result.5 == [0, 1])
    }
  }

  @Test("a rank without peers fails with a message in time")
  func alone() throws {
    var meeting = try #require(ProcessGroup.Meeting.onThisMachine())
    // Rank 0 opens one of its own.
    if let socket = meeting.listeningSocket { close(socket) }
    meeting.listeningSocket = nil
    #expect {
      try ProcessGroup(rank: 0, size: 2, at: meeting, timeout: 0.5)
    } throws: { "\($0)".contains("rank 0 of 2") && "\($0)".contains("1/2") }
  }

  @Test(
    "a build without NCCL says so",
    .enabled(if: !ProcessGroup.Backend.nccl.isAvailable, "this build has NCCL"))
  func withoutNCCL() throws {
    let meeting = try #require(ProcessGroup.Meeting.onThisMachine())
    #expect {
      try ProcessGroup(rank: 0, size: 1, at: meeting, backend: .nccl)
    } throws: { "\($0)".contains("this build has no nccl; expected gloo") }
    #expect(throws: TorchError.self) { try ProcessGroup(rank: 2, size: 2, at: meeting) }
  }

  @Test("a peer that stays away is an error after the timeout, not a wait without end")
  func absent() throws {
    let messages = try inRanks(2, timeout: 2) { group -> String in
      if group.rank == 1 { return "" }
      do {
        try attempt { group.barrier() }
      } catch let error as TorchError { return error.message }
      return "no error"
    }
    #expect(messages[0].contains("imed out"), "\(messages)")
  }

  /// A network with a weight that only some steps use.
  private final class Small: Module {
    let first = Parameter(noise([3, 2], 1))
    let second = Parameter(noise([2, 2], 2))
    let third = Parameter(noise([2, 2], 3))

    func loss(_ x: Tensor, usesThird: Bool) -> Tensor {
      let y = x.linear(first.transposed(0, 1)).tanh().linear(second)
      return (usesThird ? y.linear(third) : y).pow(2).mean()
    }
  }

  private func gradients(of model: Small) -> [Float] {
    [model.first, model.second, model.third].flatMap { $0.gradient?.floats ?? [] }
  }

  @Test(
    "averaged gradients are those of all images, accumulated ones too",
    arguments: [GradientAveraging.Graph.fixed, .varying])
  func averaging(_ graph: GradientAveraging.Graph) throws {
    let images = noise([8, 3], 9)
    // In a fixed graph the weight takes part never; in a varying one every other time.
    let uses = graph == .fixed ? [false, false, false] : [true, false, true]
    let results = try inRanks(2) { group -> [[Float]] in
      let model = Small()
      let averaging = try GradientAveraging(
        of: model.parameters.map(\.parameter), over: group, graph: graph)
      let own = images.sliced(0, group.rank * 4, group.rank * 4 + 4)
      return uses.map { usesThird in
        for entry in model.parameters { entry.parameter.gradient = nil }
        // Two parts of a batch, of which the last carries the sum.
        let first = own.sliced(0, 0, 2)
        if graph == .fixed {
          averaging.begin()
          averaging.expect(model.loss(first, usesThird: usesThird)).backward()
        } else {
          model.loss(first, usesThird: usesThird).backward()
        }
        averaging.begin()
        averaging.expect(model.loss(own.sliced(0, 2, 4), usesThird: usesThird)).backward()
        return gradients(of: model)
      }
    }
    for (step, usesThird) in uses.enumerated() {
      let model = Small()
      // Four parts' means, of which each rank adds two.
      for part in 0..<4 {
        (model.loss(images.sliced(0, part * 2, part * 2 + 2), usesThird: usesThird) * 0.5)
          .backward()
      }
      let expected = gradients(of: model)
      for rank in 0..<2 {
        #expect(distance(Array(results[rank][step].prefix(expected.count)), expected) < 1e-6)
        #expect(results[rank][step].dropFirst(expected.count).allSatisfy { $0 == 0 })
      }
    }
  }

  @Test(
    "synchronized batch normalization of two halves is batch normalization of the whole",
    arguments: [MemoryFormat.contiguous, .channelsLast])
  func batchNorm(_ format: MemoryFormat) throws {
    let (shape, seed) = ([4, 3, 5, 6], noise([4, 3, 5, 6], 4))
    // Far from zero mean, as features after a ReLU are.
    let images = (noise(shape, 1) * 2 + 3)
    @Sendable func run(_ x: Tensor, _ seed: Tensor, _ norm: BatchNorm2d) -> [[Float]] {
      let x = x.contiguous(format).detached()
      x.requiresGrad = true
      let y = norm(x * 1)
      (y.pow(3) * seed).sum().backward()
      return [
        y.detached().floats, x.gradient?.floats ?? [], norm.weight.gradient?.floats ?? [],
        norm.bias.gradient?.floats ?? [], norm.runningMean.floats, norm.runningVar.floats,
      ]
    }
    @Sendable func norm() -> BatchNorm2d {
      let norm = BatchNorm2d(3)
      norm.weight.adopt(Tensor([0.5, 2, -1] as [Float]))
      norm.bias.adopt(Tensor([0.1, 0, -2] as [Float]))
      return norm
    }
    let whole = run(images, seed, norm())
    let halves = try inRanks(2) { group -> [[Float]] in
      // Uneven, so that means must be weighted.
      let (from, to) = group.rank == 0 ? (0, 1) : (1, 4)
      let own = norm()
      own.synchronizeBatchNorm(over: group)
      return run(images.sliced(0, from, to), seed.sliced(0, from, to), own)
    }
    for (index, name) in ["output", "gradient of the images"].enumerated() {
      let scale = max(1, whole[index].map(abs).max() ?? 0)
      #expect(
        distance(halves[0][index] + halves[1][index], whole[index]) < 1e-5 * scale, "\(name)")
    }
    for (index, name) in [(2, "gradient of the weight"), (3, "gradient of the bias")] {
      let sum = zip(halves[0][index], halves[1][index]).map { $0 + $1 }
      // Sums over 120 values of up to some hundreds.
      #expect(distance(sum, whole[index]) < 1e-5 * (whole[index].map(abs).max() ?? 0), "\(name)")
    }
    for (index, name) in [(4, "running mean"), (5, "running variance")] {
      for half in halves { #expect(distance(half[index], whole[index]) < 1e-6, "\(name)") }
    }
  }

  @Test("one pixel per process has statistics over all of them")
  func pooled() throws {
    let results = try inRanks(2) { group -> [Float] in
      let norm = BatchNorm2d(1)
      norm.synchronizeBatchNorm(over: group)
      return norm(Tensor([Float(group.rank)], [1, 1, 1, 1])).detached().floats
    }
    #expect(abs(results[0][0] + 1) < 1e-3 && abs(results[1][0] - 1) < 1e-3)
  }
}
