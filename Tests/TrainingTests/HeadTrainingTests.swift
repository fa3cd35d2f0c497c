import Configuration
import Segmentation
import Testing
import Torch
import Training

/// Every head that is built like MMSegmentation's, with few channels, on a backbone that it fits.
private let networks: [(backbone: String, head: String)] = [
  ("\(dense), outputStride: 8", "deeplabv3, form: mmsegmentation, channels: 8"),
  ("\(dense), outputStride: 16", "deeplabv3plus, channels: 8, lowChannels: 4"),
  ("\(dense), outputStride: 16", "fcn, form: mmsegmentation, dilation: 6, channels: 8"),
  ("\(dense), outputStride: 8", "pspnet, channels: 8"),
  (dense, "fastfcn, channels: 4, head: {form: mmsegmentation, channels: 8}"),
  (dense, "fastfcn, channels: 4, head: {name: pspnet, channels: 8}"),
  (dense, "fastfcn, channels: 4, head: {name: encnet, channels: 8}"),
  ("\(dense), outputStride: 8", "encnet, channels: 8, laterals: [1, 2]"),
  ("\(dense), outputStride: 8", "nonlocal, channels: 8"),
  ("\(dense), outputStride: 8", "nonlocal, channels: 8, weighting: mean"),
  ("\(dense), outputStride: 8", "ann, channels: 8, projectChannels: 4, scales: [1, 3]"),
  ("\(dense), outputStride: 8", "danet, channels: 8, positionChannels: 4"),
  ("resnet18, deepStem: true, dilations: [1, 1, 2, 4], cut: 2", "fcn, channels: 8, kernel: 1"),
  (unet, "fcn, form: mmsegmentation, convolutions: 1, joinInput: false, channels: 8"),
  (unet, "pspnet, channels: 8"),
  (unet, "deeplabv3, form: mmsegmentation, channels: 8"),
  ("\(unet), decoder: false", "deeplabv3, form: mmsegmentation, channels: 8"),
]

private let dense = "densenet, blocks: [1, 1, 1, 1], growth: 8, stem: 16"
private let unet = "unet, widths: [4, 8, 8, 8, 16], enlargement: projected"

/// The network of these parts for three classes.
private func network(_ parts: (backbone: String, head: String)) throws -> SegmentationModel {
  let yaml = "{backbone: {name: \(parts.backbone)}, head: {name: \(parts.head)}, classes: 3}"
  return try ModelBuilder.build(Section(yaml: yaml, named: "test"))
}

/// Images of one colour per quarter and, as classes, which colour that is; a few pixels are ignored.
private func quarters(_ count: Int) -> (images: Tensor, target: Tensor) {
  let (height, width) = (64, 80)
  var values: [Float] = [], classes: [Int64] = []
  for image in 0..<count {
    for y in 0..<height {
      for x in 0..<width {
        let quarter = (y < height / 2 ? 0 : 1) + (x < width / 2 ? 0 : 2) + image
        classes.append(y == 0 ? 255 : Int64(quarter % 3))
      }
    }
    for channel in 0..<3 {
      values += classes.suffix(height * width).map { $0 == Int64(channel) ? 1 : -1 }
    }
  }
  return (Tensor(values, [count, 3, height, width]), Tensor(classes, [count, height, width]))
}

/// The biases of keys under a softmax add the same to all products of a query, which changes nothing.
private func hasNoGradient(_ name: String, _ model: SegmentationModel) -> Bool {
  name.hasSuffix("key_project.bias")
    && (model.classifier is DANet || model.classifier is NonLocalNet)
}

@Suite("Training of heads", .serialized)
struct HeadTrainingTests {
  @Test("lowers the loss within five steps and reaches every parameter", arguments: networks)
  func learns(_ parts: (backbone: String, head: String)) throws {
    for count in [2, 1] {
      Engine.seed(11)
      let model = try network(parts)
      model.train()
      for case let dropout as Dropout in model.modules.map(\.module) { dropout.probability = 0 }
      let (images, target) = quarters(count)
      let optimizer = Optimizer(.adam(), model, learningRate: 1e-3)
      let loss = Loss(.crossEntropy)
      var losses: [Double] = []
      for _ in 0...5 {
        optimizer.clearGradients()
        let total = loss.total(model.output(images), of: model, for: images, target)
        losses.append(total.detached().item)
        total.backward()
        optimizer.step()
      }
      #expect(losses.dropFirst().contains { $0 < losses[0] }, "\(losses)")
      #expect(losses.allSatisfy { $0.isFinite })
      for (name, parameter) in model.parameters where !hasNoGradient(name, model) {
        let norm = parameter.gradient?.norm().item ?? 0
        #expect(norm > 0 && norm.isFinite, "\(name), batch \(count)")
      }
    }
  }

  @Test("ends in networks for images of any size", arguments: networks)
  func sizes(_ parts: (backbone: String, head: String)) throws {
    let model = try network(parts)
    model.train(false)
    for shape in [[1, 3, 97, 131], [2, 3, 1, 1], [1, 3, 5, 40]] {
      let image = Tensor(uninitialized: shape)
      image.drawNormal()
      let scores = withoutGradients { model(image) }
      #expect(scores.shape == [shape[0], 3, shape[2], shape[3]])
      #expect(scores.isFinite)
    }
  }

  @Test("sees the scores of branches and of classes that an image shows")
  func helpers() throws {
    let (images, target) = quarters(2)
    let danet = try network((dense, "danet, channels: 8, positionChannels: 4, dropout: 0"))
    let branches = danet.output(images)
    let loss = Loss(.crossEntropy)
    let parts = ([branches.logits] + branches.helpers.map(\.scores)).map {
      loss(danet.upsampled($0, like: images), target).detached().item
    }
    #expect(parts.count == 3)
    let total = loss.total(branches, of: danet, for: images, target).detached().item
    #expect(abs(total - parts.reduce(0, +)) < 1e-5)
    danet.train(false)
    #expect(danet.output(images).helpers.isEmpty)

    let encnet = try network((dense, "encnet, channels: 8, dropout: 0"))
    let coded = encnet.output(images)
    #expect(coded.helpers.map(\.scores.shape) == [[2, 3]])
    #expect(coded.helpers.map(\.weight) == [0.2])
    let without = try network((dense, "encnet, channels: 8, presenceWeight: 0"))
    #expect(without.output(images).helpers.isEmpty)
  }

  @Test("takes the presence of classes from the pixels that are not ignored")
  func presence() {
    let scores = Tensor([2, -1, 0.5, 0, 3, -2] as [Float], [2, 3])
    let target = Tensor([0, 255, 0, 2, 255, 255, 1, 1] as [Int64], [2, 2, 2])
    // log(1 + e⁻ˢ) for the classes 0 and 2, then 1; log(1 + eˢ) for the others.
    let expected = [
      0.1269280110, 0.3132616875, 0.4740769842, 0.6931471806, 0.0485873516, 0.1269280110,
    ]
    let value = Loss.presence(scores, target).item
    #expect(abs(value - expected.reduce(0, +) / 6) < 1e-6)
  }
}
