import CTorch

/// Which way a 3×3 convolution of a prepared network takes on this machine.
public struct ConvolutionPlan: Sendable, Codable, Hashable {
  /// How the work is shared out.
  public enum Order: String, Sendable, Codable {
    /// Each thread takes a few tiles from the map to the outputs.
    case tiles
    /// Threads share many tiles and take some outputs each.
    case panels
  }

  /// The threads of an operator.
  public var threads: Int
  /// The atrous rate.
  public var rate: Int
  /// The images of the map and its size.
  public var images: Int, height: Int, width: Int
  /// The channels.
  public var inputs: Int, outputs: Int
  /// Whether inputs are normalized on the way in.
  public var normalizes: Bool
  /// How the work is shared out.
  public var order: Order
  /// The largest tiles: of 4 or 6 outputs along an axis.
  public var largestTile: Int
  /// What is worked off at once: tiles, or with panels products for each pair of channels.
  public var together: Int
  /// The measured time of this way, and that of the way that rules choose.
  public var milliseconds: Double, ruleMilliseconds: Double

  /// What it is a plan for.
  var layer: ConvolutionPlan {
    var layer = self
    (layer.order, layer.largestTile, layer.together) = (.tiles, 0, 0)
    (layer.milliseconds, layer.ruleMilliseconds) = (0, 0)
    return layer
  }
}

/// A layer that was measured, with its plan where one was clearly faster than the rules.
public struct MeasuredLayer: Sendable {
  /// The layer, its way and the times; the way means nothing where `isPlanned` is false.
  public let plan: ConvolutionPlan
  /// Whether another way than the rules' was clearly faster.
  public let isPlanned: Bool
}

extension ConvolutionPlan {
  /// As the door takes it.
  var numbers: ct_plan {
    ct_plan(
      threads: Int64(threads), rate: Int64(rate), images: Int64(images), inputs: Int64(inputs),
      outputs: Int64(outputs), height: Int64(height), width: Int64(width),
      normalizes: normalizes ? 1 : 0, order: order == .tiles ? 1 : 2, largest: Int64(largestTile),
      together: Int64(together), seconds: milliseconds / 1e3, rule_seconds: ruleMilliseconds / 1e3)
  }

  init(_ numbers: ct_plan) {
    self.init(
      threads: Int(numbers.threads), rate: Int(numbers.rate), images: Int(numbers.images),
      height: Int(numbers.height), width: Int(numbers.width), inputs: Int(numbers.inputs),
      outputs: Int(numbers.outputs), normalizes: numbers.normalizes != 0,
      order: numbers.order == 2 ? .panels : .tiles, largestTile: Int(numbers.largest),
      together: Int(numbers.together), milliseconds: numbers.seconds * 1e3,
      ruleMilliseconds: numbers.rule_seconds * 1e3)
  }

  /// The ways that the layer of this plan may take.
  var ways: [ConvolutionPlan] {
    var (own, found) = (numbers, [ct_plan](repeating: ct_plan(), count: 32))
    let count = ct_plan_ways(&own, &found, 32)
    return found.prefix(Int(count)).map(ConvolutionPlan.init)
  }
}

extension MeasuredLayer {
  init(_ numbers: ct_plan) {
    self.init(plan: ConvolutionPlan(numbers), isPlanned: numbers.order != 0)
  }
}
