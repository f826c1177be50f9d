import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.env.Environment;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** An Elasticsearch of one node on loopback. Arguments: its port, the folders of its data and of its modules. */
public final class SearchServer {

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
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        LogConfigurator.registerErrorListener();
        LogConfigurator.configureWithoutConfig(settings);
        LogConfigurator.configureESLogging();
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> "only");
        // false: the server is on the class path, where it has no named module to open to plugins.
        Node node = new Node(env, PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(Path.of(args[2]), false), Set.of(), Map.of(), false));
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
        TimeValue patience = TimeValue.timeValueSeconds(60);
        node.client().admin().cluster().prepareHealth(patience).setWaitForYellowStatus().setTimeout(patience).get();
        System.out.println("ready " + node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort());
        stopped.await();
    }
}
