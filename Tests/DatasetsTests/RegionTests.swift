import Imaging
import Testing

@testable import Datasets

@Suite("Small regions")
struct RegionTests {
  private func mask(_ rows: [String]) -> ClassMask {
    let values = rows.joined().map {
      $0 == "." ? LabelMap.ignored : UInt8($0.wholeNumberValue ?? 0)
    }
    return ClassMask(width: rows[0].count, height: rows.count, classes: values)
  }

  @Test("go to the class that most of their border is shared with")
  func borders() {
    let found = mask(["000011", "003011", "000111", "022111", "..2..."])
    #expect(
      found.withoutRegions(below: 3) == mask(["000011", "000011", "000111", "022111", "..2..."]))
    // The region of class 2 has three sides to 0 and one to 1.
    #expect(
      found.withoutRegions(below: 4) == mask(["000011", "000011", "000111", "000111", "..0..."]))
    #expect(found.withoutRegions(below: 1) == found)
  }

  @Test("grow by becoming part of each other, and ignored pixels take nothing")
  func chains() {
    // Each is alone among ignored ones, or one of three that are nothing but small.
    #expect(mask([".1.", "...", "..2"]).withoutRegions(below: 9) == mask([".1.", "...", "..2"]))
    #expect(mask(["1233333"]).withoutRegions(below: 3) == mask(["3333333"]))
    let whole = mask(["12", "21"]).withoutRegions(below: 100)
    #expect(Set(whole.classes).count == 1)
  }
}
