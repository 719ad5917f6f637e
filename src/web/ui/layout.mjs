// Places tiles so that all fit without scrolling and the pictures are as large as possible. A shared screen
// takes most of the space, and the other tiles are in a row beside or below it.
const gap = 10;
const ratio = 16 / 9;

//
// The card, if there is one, is below the tiles, or beside them where the grid is wide and low.
export function arrange(grid, tiles, card = null) {
  const { width, height } = areaFor(grid, card);
  if (!width || !height || !tiles.length) return;
  const screens = tiles.filter(({ dataset }) => dataset.kind === 'screen');
  const others = tiles.filter(tile => !screens.includes(tile));
  if (!screens.length || !others.length) {
    fill(tiles, { x: 0, y: 0, width, height });
    return;
  }
  const beside = width > height * 1.2;
  const strip = beside
    ? Math.min(260, width * 0.24)
    : Math.min(150, height * 0.26);
  if (beside) {
    fill(screens, { x: 0, y: 0, width: width - strip - gap, height });
    fill(others, { x: width - strip, y: 0, width: strip, height }, others.length <= 5 ? 1 : 0);
  } else {
    fill(screens, { x: 0, y: 0, width, height: height - strip - gap });
    fill(others, { x: 0, y: height - strip, width, height: strip }, others.length <= 4 ? others.length : 0);
  }
}

function areaFor({ clientWidth: width, clientHeight: height }, card) {
  if (!card) return { width, height };
  const beside = height < 420 && width > height * 1.2;
  card.dataset.place = beside ? 'beside' : 'below';
  return beside
    ? { width: width - card.offsetWidth - gap, height }
    : { width, height: Math.max(height * 0.35, height - card.offsetHeight - gap) };
}

function fill(tiles, area, wanted = 0) {
  const columns = wanted || bestColumns(tiles.length, area);
  const rows = Math.ceil(tiles.length / columns);
  const cellHeight = (area.height - (rows - 1) * gap) / rows;
  const most = (area.width - (columns - 1) * gap) / columns;
  // A tile is not wider than its picture, and not so tall that only a strip of the picture is visible. A tile
  // alone in its row may be taller.
  const width = Math.min(most, cellHeight * ratio);
  const height = Math.min(cellHeight, width * (columns === 1 ? 1.4 : 0.85));
  const top = area.y + (area.height - rows * height - (rows - 1) * gap) / 2;
  tiles.forEach((tile, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, tiles.length - row * columns);
    const left = area.x + (area.width - inRow * width - (inRow - 1) * gap) / 2;
    place(tile, left + (index % columns) * (width + gap), top + row * (height + gap), width, height);
  });
}

function bestColumns(count, { width, height }) {
  let best = { columns: 1, area: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - (columns - 1) * gap) / columns;
    const cellHeight = (height - (rows - 1) * gap) / rows;
    const shown = Math.min(cellWidth, cellHeight * ratio);
    const area = shown * Math.min(cellHeight, shown / ratio);
    if (area > best.area) best = { columns, area };
  }
  return best.columns;
}

function place({ style, dataset }, x, y, width, height) {
  dataset.small = width < 300 || height < 360;
  dataset.low = width < 240 || height < 270;
  dataset.tiny = width < 180 || height < 110;
  dataset.flat = height < 64;
  style.setProperty('--x', `${Math.round(x)}px`);
  style.setProperty('--y', `${Math.round(y)}px`);
  style.setProperty('--w', `${Math.round(width)}px`);
  style.setProperty('--h', `${Math.round(height)}px`);
}
