// What a page may send to each other page in a mesh, where it sends everything once per person: as the call
// grows each copy becomes smaller, so that an ordinary uplink of a few Mbit/s carries them all.
const steps = [
  { upTo: 1, camera: 2_500_000, scale: 1, screen: 2_500_000 },
  { upTo: 2, camera: 1_200_000, scale: 1, screen: 1_500_000 },
  { upTo: 3, camera: 800_000, scale: 1.5, screen: 1_000_000 },
  { upTo: 5, camera: 450_000, scale: 2, screen: 700_000 },
  { upTo: 8, camera: 250_000, scale: 3, screen: 450_000 },
  { upTo: Infinity, camera: 120_000, scale: 4, screen: 300_000 },
];

export const crowdFrom = 5; // people in the call, from which on the page says what a mesh costs

export const stepFor = peers => steps.find(({ upTo }) => peers <= upTo);
