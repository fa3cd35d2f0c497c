/// The official Cityscapes label ids that scenes use.
enum SceneLabel: UInt16, CaseIterable {
  case egoVehicle = 1, isStatic = 4, isDynamic = 5
  case road = 7, sidewalk = 8, building = 11, wall = 12, fence = 13, pole = 17
  case trafficLight = 19, trafficSign = 20, vegetation = 21, terrain = 22, sky = 23
  case person = 24, rider = 25, car = 26, truck = 27, bus = 28, train = 31
  case motorcycle = 32, bicycle = 33

  /// Whether single things of this class are told apart in instance files.
  var hasInstances: Bool { rawValue >= 24 }

  /// The 19 classes that count, in the order of their training ids.
  static let evaluated: [SceneLabel] = [
    .road, .sidewalk, .building, .wall, .fence, .pole, .trafficLight, .trafficSign, .vegetation,
    .terrain, .sky, .person, .rider, .car, .truck, .bus, .train, .motorcycle, .bicycle,
  ]
}
