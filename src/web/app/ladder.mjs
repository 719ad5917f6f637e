// The bit rates that a page sends to each other page of a mesh. The page sends a copy to every person, so
// each copy becomes smaller as the call grows. A usual uplink of a few Mbit/s then carries all copies.
const steps = [
  { upTo: 1, camera: 2_500_000, scale: 1, screen: 2_500_000 },
  { upTo: 2, camera: 1_200_000, scale: 1, screen: 1_500_000 },
  { upTo: 3, camera: 800_000, scale: 1.5, screen: 1_000_000 },
  { upTo: 5, camera: 450_000, scale: 2, screen: 700_000 },
  { upTo: 8, camera: 250_000, scale: 3, screen: 450_000 },
  { upTo: Infinity, camera: 120_000, scale: 4, screen: 300_000 },
];

export const crowdFrom = 5; // number of people from which the page shows a note about the load

export const stepFor = peers => steps.find(({ upTo }) => peers <= upTo);
