package org.fhirstack.server;

import java.util.Properties;
import org.springframework.beans.factory.config.YamlPropertiesFactoryBean;
import org.springframework.core.io.ClassPathResource;

/** The defaults of this server, from one file. Unlike an application.yaml on the class path they hold under any config location. */
final class Defaults {

    private Defaults() {}

    static Properties load() {
        YamlPropertiesFactoryBean yaml = new YamlPropertiesFactoryBean();
        yaml.setResources(new ClassPathResource("defaults.yaml", Defaults.class));
        return yaml.getObject();
    }
}
