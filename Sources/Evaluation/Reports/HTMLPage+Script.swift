extension HTMLPage {
  /// The tables, the choice of a class and the gallery.
  static let script = """
    const classes = data.classes.map((c, index) => ({...c, index}));
    const images = data.images.map((c, index) => ({...c, index}));
    const pictures = new Map(data.shown.map(s => [s.index, s.pictures]));
    const named = c => { const td = make('td'); td.append(dot(c.color), c.name); return td; };
    const classColumns = () => [
      {name: 'class', value: c => c.name, cell: named},
      {name: 'IoU %', value: c => c.iou, cell: c => barCell(c.iou)},
      {name: 'Dice %', value: c => c.dice},
      {name: 'precision %', value: c => c.precision},
      {name: 'recall %', value: c => c.recall},
      ...(classes.some(c => c.boundary !== null && c.boundary !== undefined)
        ? [{name: 'boundary IoU %', value: c => c.boundary}] : []),
      {name: 'share of truth %', value: c => c.share},
      {name: 'mostly taken for, %', value: c => c.taken, text: true,
        cell: c => make('td', c.taken || '', 'text')},
      {name: 'mostly taken from, %', value: c => c.claimed, text: true,
        cell: c => make('td', c.claimed || '', 'text')},
    ];
    const drawClasses = table('classes', classColumns, classes, 1,
      c => choose(chosen === c.index ? -1 : c.index), c => c.index === chosen);

    const two = data.foreground !== null && data.foreground !== undefined;
    const main = image => two ? image.dice : image.meanIoU;
    const mainName = two ? 'Dice' : 'mean IoU';
    const score = image => chosen < 0 ? main(image) : image.iou[chosen];
    const imageColumns = () => [
      {name: 'image', value: i => i.name, cell: i => make('td', i.name)},
      {name: mainName + ' %', value: main, cell: i => barCell(main(i))},
      ...(two ? [{name: 'precision %', value: i => i.precision},
        {name: 'recall %', value: i => i.recall}] : []),
      {name: 'pixel accuracy %', value: i => i.accuracy},
      ...(chosen < 0 ? [] : [
        {name: data.classes[chosen].name + ' IoU %', value: i => i.iou[chosen]},
        {name: 'share %', value: i => i.share[chosen]}]),
    ];
    const drawImages = table('images', imageColumns, images, 1, i => {
      if (!pictures.has(i.index)) return;
      const at = document.getElementById('image-' + i.index);
      if (at) at.scrollIntoView({behavior: 'smooth', block: 'center'});
    }, i => pictures.has(i.index));

    function gallery() {
      const best = document.getElementById('order').value === 'best';
      const rows = images.filter(i => pictures.has(i.index) && (chosen < 0 || i.share[chosen] > 0))
        .sort((a, b) => last(score(a), score(b), !best)).slice(0, 12);
      const all = images.filter(i => chosen < 0 || i.share[chosen] > 0).length;
      document.getElementById('count').textContent = rows.length + ' of ' + all + ' images shown'
        + (chosen < 0 ? '' : ', by the IoU of ' + data.classes[chosen].name);
      document.getElementById('gallery').replaceChildren(...rows.map(i => {
        const figure = make('figure'), caption = make('figcaption'), views = make('div', undefined, 'views');
        figure.id = 'image-' + i.index;
        caption.append(make('b', i.name), make('span', mainName + ' ' + pc(main(i)) + ' %'),
          make('span', 'pixel accuracy ' + pc(i.accuracy) + ' %'));
        if (chosen >= 0) caption.append(make('span', data.classes[chosen].name + ' ' + pc(i.iou[chosen]) + ' %'));
        const low = classes.filter(c => i.share[c.index] > 0.002 && i.iou[c.index] !== null)
          .sort((a, b) => i.iou[a.index] - i.iou[b.index]).slice(0, 3);
        if (!two) caption.append(make('span', 'weakest: ' + low.map(c => c.name + ' ' + pc(i.iou[c.index])).join(', '), 'quiet'));
        for (const p of pictures.get(i.index)) {
          const box = make('div', p.caption), img = make('img');
          img.src = p.source; img.alt = p.caption + ' of ' + i.name; img.loading = 'lazy';
          box.append(img); views.append(box);
        }
        figure.append(caption, views);
        return figure;
      }));
    }

    const select = document.getElementById('class');
    select.append(new Option('all classes', -1), ...classes.map(c => new Option(c.name, c.index)));
    select.onchange = () => choose(Number(select.value));
    document.getElementById('order').onchange = gallery;
    function choose(index) {
      chosen = index; select.value = index; drawClasses(); drawImages.by(index < 0 ? 1 : two ? 5 : 3); gallery();
    }
    // A link such as index.html#pole shows a class.
    const wanted = (() => {
      try { return decodeURIComponent(location.hash.slice(1)); } catch { return ''; }
    })();
    choose(classes.findIndex(c => c.name === wanted));
    """
}
