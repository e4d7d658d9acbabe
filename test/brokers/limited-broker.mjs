/**
 * A broker in a process of its own, whose memory can be looked at: `node limited-broker.mjs BUNDLE LIMITS`, forked. Says its
 * port, and what it has whenever it is asked. Ends with its parent.
 */
const [bundle, limits] = process.argv.slice(2);
const { Broker } = await import(bundle);

const broker = await Broker.start({ port: 0, limits: JSON.parse(limits) });

let rssMax = 0;
function look() {
  rssMax = Math.max(rssMax, process.memoryUsage.rss());
}
setInterval(look, 20);

process.on('disconnect', () => process.exit());
process.on('message', () => {
  look();
  process.send({
    rss: process.memoryUsage.rss(),
    rssMax,
    gauges: broker.gauges(),
    counters: broker.counters,
  });
});
process.send(broker.tcpPort);
