import Foundation
import Testing

@testable import Graphs
@testable import Torch

@Suite("Passes")
struct PassTests {
  /// The nodes that are left of `body` for a map of 16 channels by all passes but some.
  private func kinds(
    without off: Set<String> = [], _ module: Module, shape: [Int] = [1, 16, 8, 8],
    _ body: (Tensor) -> Tensor
  ) throws -> [String] {
    let graph = try Graph(recording: module, input: shape, .float32, body)
    return graph.optimized(without: off, .init()).nodes.map { node in
      let extra = node.inputs.map(\.name).filter {
        ["addend", "scale", "norm.weight", "before.weight"].contains($0)
      }
      return
        ([node.kind.split(separator: ":").last.map(String.init) ?? ""] + extra
        + [node.string("activation")].filter { !$0.isEmpty }).joined(separator: " ")
    }
  }

  private final class Net: Layer {
    let conv = Conv2d(16, 16, kernel: 3), point = Conv2d(16, 32), norm = BatchNorm2d(16)
    let depthwise = ConvNorm(16, 16, kernel: 3, groups: 16), narrow = ConvNorm(16, 8, kernel: 1)
    let matrix = Linear(16, 16), layerNorm = LayerNorm(16)
    let apart = ConvTranspose2d(16, 8, kernel: 2, stride: 2)
    let overlapping = ConvTranspose2d(16, 8, kernel: 4, stride: 2, padding: 1)
  }
  private let net = Net()

  init() { net.train(false) }

  @Test("make one unit of a convolution, a normalization, a sum and an activation")
  func units() throws {
    func body(_ x: Tensor) -> Tensor { (net.norm(net.conv(x)) + x).relu() }
    #expect(try kinds(net, body) == ["convolution norm.weight addend relu"])
    #expect(
      try kinds(without: ["activation"], net, body) == ["convolution norm.weight addend", "relu"])
    #expect(try kinds(without: ["sum"], net, body) == ["convolution norm.weight", "add", "relu"])
    #expect(
      try kinds(without: ["norm"], net, body) == ["convolution", "batch_norm", "add", "relu"])
    #expect(try kinds(without: ["pack"], net, body) == ["conv2d", "batch_norm", "add", "relu"])
  }

  @Test("leave alone what someone else reads")
  func readers() throws {
    #expect(
      try kinds(net) { x in
        let y = net.conv(x)
        return net.norm(y) + y
      } == ["convolution", "batch_norm", "add"])
    // Twice by one operator.
    #expect(
      try kinds(net) { x in
        let y = net.conv(x)
        return y * y
      } == ["convolution", "mul"])
  }

  @Test("leave alone sums and factors of other shapes, and other functions")
  func shapes() throws {
    #expect(
      try kinds(net) { net.conv($0) + $0.mean([2, 3], keep: true) } == [
        "convolution", "mean", "add",
      ])
    #expect(try kinds(net) { net.conv($0).tanh() } == ["convolution", "tanh"])
    #expect(try kinds(net) { net.point($0 * $0) } == ["mul", "convolution"])
    // A factor of each image's channels is none of the kernels'.
    #expect(
      try kinds(net, shape: [2, 16, 8, 8]) { net.point($0 * $0.mean([2, 3], keep: true)) }
        == ["mean", "mul", "convolution"])
  }

  @Test("take a normalization, or a factor of channels, on the way in")
  func before() throws {
    func dense(_ x: Tensor) -> Tensor { net.point(net.norm(x).relu()) }
    #expect(try kinds(net, dense) == ["convolution before.weight"])
    #expect(try kinds(without: ["prenorm"], net, dense) == ["batch_norm", "relu", "convolution"])
    // Not without the ReLU, nor where a kernel is of another kind.
    #expect(try kinds(net) { net.point(net.norm($0)) } == ["batch_norm", "convolution"])
    #expect(
      try kinds(net) { net.depthwise(net.norm($0).relu()) }
        == ["batch_norm", "relu", "convolution norm.weight relu"])
    func scaled(_ x: Tensor) -> Tensor { net.point(x * x.mean([2, 3], keep: true)) }
    #expect(try kinds(net, scaled) == ["mean", "convolution scale"])
    #expect(try kinds(without: ["scale"], net, scaled) == ["mean", "mul", "convolution"])
    #expect(
      try kinds(net) { net.conv($0 * $0.mean([2, 3], keep: true)) } == [
        "mean", "mul", "convolution",
      ])
  }

  @Test("make zeros around a map part of a depthwise convolution, where all sides agree")
  func padding() throws {
    #expect(
      try kinds(net) { net.depthwise($0.padded([0, 1, 0, 1])) } == ["convolution norm.weight relu"])
    #expect(try kinds(net) { net.conv($0.padded([1, 1, 1, 1])) } == ["convolution"])
    #expect(
      try kinds(net) { net.conv($0.padded([0, 1, 0, 1])) } == ["constant_pad_nd", "convolution"])
    #expect(
      try kinds(net) { net.depthwise($0.padded([0, 1, 1, 0])) }
        == ["constant_pad_nd", "convolution norm.weight relu"])
    #expect(
      try kinds(net) { net.conv($0.padded([1, 1, 1, 1], value: 1)) }
        == ["constant_pad_nd", "convolution"])
    #expect(
      try kinds(net) { net.conv($0.relu().padded([1, 1, 1, 1]).relu()) }
        == ["relu", "constant_pad_nd", "relu", "convolution"])
  }

  @Test("split a 1×1 convolution of a join with enlarged maps into its parts")
  func projections() throws {
    let fusion = ConvNorm(24, 16, kernel: 1), last = Conv2d(16, 4)
    final class Two: Layer {
      let a: Layer, b: Layer
      init(_ a: Layer, _ b: Layer) { (self.a, self.b) = (a, b) }
    }
    let both = Two(fusion, last)
    func body(_ x: Tensor) -> Tensor {
      let small = net.narrow(x.avgPool2d(2))
      return last(fusion(concatenate([x, small.resized(like: x)], along: 1)))
    }
    #expect(try kinds(both, body) == ["avg_pool2d", "chain", "chain"])
    #expect(
      try kinds(without: ["projection"], both, body)
        == [
          "avg_pool2d", "convolution norm.weight relu", "upsample_bilinear2d", "cat",
          "convolution norm.weight relu", "convolution",
        ])
    // Nearest neighbours are not what the kernels enlarge by, and a map may have another reader.
    #expect(
      try kinds(both) { x in
        let small = net.narrow(x.avgPool2d(2)).resized(height: 8, width: 8, .nearest)
        return fusion(concatenate([x, small], along: 1))
      }.contains("cat"))
    #expect(
      try kinds(both) { x in
        let large = net.narrow(x.avgPool2d(2)).resized(like: x)
        return fusion(concatenate([x, large], along: 1)).sliced(1, 0, 8) + large
      }.contains("cat"))
  }

  @Test("leave one convolution of what is joined with a pixel where maps lie in fewer bits")
  func pooledProjections() throws {
    let fusion = ConvNorm(40, 16, kernel: 1)
    final class One: Layer {
      let a: Layer
      init(_ a: Layer) { self.a = a }
    }
    func body(_ x: Tensor) -> Tensor {
      let pooled = net.narrow(x.mean([2, 3], keep: true)).resized(like: x)
      return fusion(concatenate([x, pooled, net.conv(x)], along: 1))
    }
    func graph(_ settings: Pass.Settings) throws -> Graph {
      try Graph(recording: One(fusion), input: [1, 16, 8, 8]) { body($0) }
        .optimized(without: [], settings)
    }
    let whole = try #require(graph(.init(precision: .bfloat16)).nodes.last)
    #expect(whole.kind == Unit.convolution && whole.ints("channels") == [0, 16, 24, 40])
    #expect(try graph(.init()).nodes.last?.kind == Unit.chain)
    // Ranges are found of what is joined.
    let watched = try graph(.init(isWatched: true)).nodes
    #expect(watched.last?.input("addend") == nil && watched.contains { $0.kind == "cat" })
  }

  @Test("compute 1×1 convolutions before maps are enlarged")
  func enlarging() throws {
    func body(_ x: Tensor) -> Tensor { net.point(x.resized(height: 20, width: 13)) }
    #expect(try kinds(net, body) == ["convolution", "upsample_bilinear2d"])
    #expect(try kinds(without: ["enlarge"], net, body) == ["upsample_bilinear2d", "convolution"])
    // Not before they are made smaller, and not with what is not linear.
    #expect(
      try kinds(net) { net.point($0.resized(height: 4, width: 13)) }
        == ["upsample_bilinear2d", "convolution"])
    #expect(
      try kinds(net) { net.point($0.resized(height: 16, width: 16)).relu() }
        == ["upsample_bilinear2d", "convolution relu"])
  }

  @Test("join to what another join has, along the same dimension")
  func nesting() throws {
    let graph = try Graph(recording: net, input: [1, 16, 8, 8]) { x in
      let a = net.conv(x), b = net.norm(a)
      let pair = concatenate([x, a]), three = concatenate([x, a, b])
      let rows = concatenate([x, a, b], along: 2).sliced(2, 0, 8)
      return concatenate([three, b, x, a, pair, rows])
    }
    func counts(_ off: Set<String>) -> [Int] {
      graph.optimized(without: off, .init()).nodes.filter { $0.kind == "cat" }
        .map(\.inputs.count)
    }
    #expect(counts(["nest"]) == [2, 3, 3, 6])
    // The last one has `b, x, a` with `x, a` for the first.
    #expect(counts([]) == [2, 2, 3, 5])
  }

  @Test("know transposed convolutions without overlaps, attention and layer normalization")
  func others() throws {
    #expect(try kinds(net) { net.apart($0) } == ["transposed"])
    #expect(try kinds(net) { net.overlapping($0) } == ["conv_transpose2d"])
    #expect(
      try kinds(net, shape: [1, 5, 16]) { net.matrix(net.layerNorm($0)).gelu() + $0 }
        == ["layer_norm", "matrix gelu", "add"])
    #expect(
      try kinds(net, shape: [1, 5, 16]) { ($0 + net.matrix($0)).gelu() } == ["matrix addend gelu"])
    #expect(try kinds(net, shape: [1, 2, 5, 16]) { $0.attention($0, $0) } == ["attention"])
    // A mask that depends on the image, and one row for all queries.
    #expect(
      try kinds(net, shape: [1, 2, 16, 16]) { $0.attention($0, $0, mask: $0) }
        == ["scaled_dot_product_attention"])
    #expect(
      try kinds(net, shape: [1, 2, 5, 16]) {
        $0.attention($0, $0, mask: Tensor(filledWith: 0, [1, 5]))
      } == ["scaled_dot_product_attention"])
  }

  /// What is added: nothing, to all, a bias of each head, a mask of each window, and their sum.
  @Test("add a bias and windows' masks to the scores of attention", arguments: 0..<5)
  func addedScores(form: Int) throws {
    let windows = 6, heads = 3, n = 9
    let bias = noise([1, heads, n, n])
    // Windows of three kinds, one of which forbids every third pair.
    let apart = Tensor((0..<n * n).map { $0 % 3 == 0 ? Float(-100) : 0 }, [1, 1, n, n])
    let nothing = apart.zerosLike()
    let masks = concatenate([nothing, apart, nothing, apart * 0.5, apart, nothing], along: 0)
    let added = [nil, noise([n, n]), bias, masks, masks + bias][form]
    func body(_ x: Tensor) -> Tensor {
      let parts = x.reshaped(windows, n, heads, -1).transposed(1, 2).chunks(3, along: -1)
      return parts[0].attention(parts[1], parts[2], mask: added).transposed(1, 2)
        .flattened(from: 2)
    }
    let shape = [1, windows * n, heads * 3 * 8]
    #expect(try kinds(net, shape: shape, body).contains("attention"))
    let x = noise(shape), expected = withoutGradients { body(x) }
    for off in [[], ["attention"]] as [Set<String>] {
      let found = Runner(net, .init(keepsWeights: true, without: off), body)(x)
      #expect(error(found, expected) < 1e-6)
    }
  }

  @Test("stand in the documentation, in their order")
  func documentation() throws {
    let path = String(#filePath).components(separatedBy: "/Tests/")[0] + "/docs/graphs.md"
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    let rows = lines.filter { $0.hasPrefix("| `") }.map { $0.split(separator: "|") }
    #expect(rows.map { $0[0].filter { !"` ".contains($0) } } == Pass.names)
    for (row, pass) in zip(rows, Pass.all) {
      #expect(row[1].trimmingCharacters(in: .whitespaces) == pass.summary)
    }
  }

  @Test("are switched off by name")
  func names() throws {
    #expect(try Pass.switchedOff(by: "") == [])
    #expect(try Pass.switchedOff(by: "-norm, -join") == ["norm", "join"])
    #expect(try Pass.switchedOff(by: "none") == Set(Pass.names))
    for text in ["norm", "-fuse", "-norm,x"] {
      #expect(throws: UnknownPass.self) { try Pass.switchedOff(by: text) }
    }
    #expect(UnknownPass(text: "-fuse").description.contains("projection"))
  }
}
