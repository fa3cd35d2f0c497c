import Testing
import Torch
import Training

@Suite("Moving average")
struct MovingAverageTests {
  @Test("forgets the start, keeps at most its decay, and lends itself to the network")
  func average() {
    let net = Linear(1, 1, bias: false)
    net.weight.fill(100)
    let average = MovingAverage(of: net, decay: 0.5)
    var expected = 100.0
    for step in 0..<20 {
      net.weight.fill(Double(step))
      average.update(after: step)
      let kept = min(0.5, Double(1 + step) / Double(10 + step))
      expected = kept * expected + (1 - kept) * Double(step)
      #expect(abs(average.state[0].tensor.item - expected) < 1e-4)
    }
    // The first step leaves a tenth of what was there.
    #expect(expected > 17.9 && expected < 18.1)
    average.inPlace { #expect(abs(net.weight.item - expected) < 1e-4) }
    #expect(net.weight.item == 19)
  }
}
