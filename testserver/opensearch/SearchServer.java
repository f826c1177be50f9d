import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.ingest.common.IngestCommonPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/** An OpenSearch of one node on loopback. Arguments: its port, the folder of its data. */
public final class SearchServer {

    /** Only a subclass may name plugins that are on the class path already. */
    private static final class Single extends Node {
        private static final Collection<Class<? extends Plugin>> PLUGINS = List.of(
            Netty4Plugin.class, IngestCommonPlugin.class, PainlessPlugin.class,
            ReindexPlugin.class, CommonAnalysisPlugin.class, MapperExtrasPlugin.class);

        Single(Environment env) {
            super(env, PLUGINS, true);
        }
    }

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[1]).toAbsolutePath();
        Path config = Files.createDirectories(home.resolve("config"));
        Settings settings = Settings.builder()
            .put("cluster.name", "testserver")
            .put("node.name", "only")
            .put("path.home", home.toString())
            .put("network.host", "127.0.0.1")
            .put("http.port", args[0])
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Node node = new Single(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> "only"));
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
            stopped.countDown();
        }));
        node.start();
        // Indices that were there before are searched only once their logs are replayed.
        node.client().admin().cluster().prepareHealth().setWaitForYellowStatus().setTimeout("60s").get();
        System.out.println("ready " + node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort());
        stopped.await();
    }
}
