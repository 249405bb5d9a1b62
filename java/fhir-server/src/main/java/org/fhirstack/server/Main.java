package org.fhirstack.server;

import org.fhirstack.server.config.AcceptedKeys;
import org.fhirstack.server.config.ConfigurationCheck;
import org.fhirstack.server.database.DatabaseWait;
import org.springframework.boot.SpringApplication;

/** The entry point: {@code java -jar fhir-server.jar --spring.config.location=file:/path/application.yaml}. */
public final class Main {

    private Main() {}

    /** Runs until stopped; leaves with one of {@link ExitCode} when it cannot start. */
    public static void main(String[] args) {
        if (args.length == 1 && "--list-keys".equals(args[0])) {
            AcceptedKeys.hapiKeys().forEach(System.out::println);
            return;
        }
        try {
            application().run(args);
        } catch (RuntimeException | Error e) {
            System.exit(StartupReport.print(e).number());
        }
    }

    static SpringApplication application() {
        SpringApplication application = new SpringApplication(FhirServerApplication.class);
        application.setDefaultProperties(Defaults.load());
        application.setAllowCircularReferences(true); // HAPI's beans refer to each other in circles
        application.addListeners(new ConfigurationCheck());
        application.addInitializers(new DatabaseWait());
        return application;
    }
}
